"""Whole answers from priced steps: memory, prefill, decode, and the estimate that joins them."""
