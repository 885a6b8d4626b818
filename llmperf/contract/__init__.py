"""What leaves as JSON, with its schemas."""
