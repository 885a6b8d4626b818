"""Facts in sentences: one place for quantities, labels and explanations."""
