"""Secrets: what `${SECRET:...}` refers to, where it is kept, and how it gets from there into an entry unseen."""
