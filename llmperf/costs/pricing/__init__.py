"""Prices of operators, a file a kind (`llmperf.operators.kinds` says which)."""
