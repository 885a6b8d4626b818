"""Closed forms on arrays: what an operator, a transfer or a launch takes on given hardware."""
