"""Texts from the system made fit to be told: bytes that were no text stand in them as halves of surrogate pairs."""


def readable(text: str) -> str:
    """The text with a question mark in the place of each such byte (PEP 383), so that it has a form in UTF-8."""
    return text if text.isascii() else text.encode(errors="replace").decode()
