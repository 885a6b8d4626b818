"""Measurements beside predictions: validation, calibration, error bands, benchmarks, users' own runs."""
