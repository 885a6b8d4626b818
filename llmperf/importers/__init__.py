"""Importers: descriptors from files that other tools write."""
