"""Answers to questions as facts: no words, no screens."""
