"""Prices of operators, a file a kind."""
