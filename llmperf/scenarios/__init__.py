"""From what a user writes to a scenario of frozen descriptors."""
