"""What people and programs meet: Python results, the command line, the terminal."""
