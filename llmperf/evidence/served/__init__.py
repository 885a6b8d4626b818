"""Measured end-to-end data sets as scenarios."""
