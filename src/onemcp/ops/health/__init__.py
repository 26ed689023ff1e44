"""Health: the facts, and the pages that tell them."""
