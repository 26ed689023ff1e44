"""`1mcp server`: a module for each verb, or for two that are alike."""
