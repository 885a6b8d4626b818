"""The pages of the documentation that nobody types: made from the catalog, the command line and the schemas."""
