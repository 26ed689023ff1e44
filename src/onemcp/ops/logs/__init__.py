"""The log: what a line says, where it goes, and who reads it again."""
