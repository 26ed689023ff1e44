"""onemcp: one MCP endpoint in front of all your MCP servers."""
