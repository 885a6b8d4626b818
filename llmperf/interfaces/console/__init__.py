"""Results on a terminal: tables of at most 100 columns."""
