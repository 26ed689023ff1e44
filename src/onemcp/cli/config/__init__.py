"""`1mcp config`: looking at a configuration, and having the running gateway read it again."""
