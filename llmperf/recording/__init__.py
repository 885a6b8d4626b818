"""Formulas recorded once as operations on numbers, and run again without them."""
