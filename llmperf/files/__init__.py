"""Reading files, bounded; writing them, atomic; remembering what was read."""
