"""Changing a configuration's files: as little as can be, whole or not at all, and never into one that is faulty."""
