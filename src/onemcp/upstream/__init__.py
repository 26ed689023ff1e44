"""The upstream side: channels to MCP servers, the connections over them, and the tasks that own those."""
