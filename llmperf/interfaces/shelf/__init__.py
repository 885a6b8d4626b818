"""What is there to use: lists, entries, schemas, first files."""
