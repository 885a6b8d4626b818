"""Measured kernels: rows read, and predicted by the forms that serve users."""
