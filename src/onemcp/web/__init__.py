"""The HTTP edge: raw ASGI for the MCP endpoints and what little else the gateway answers."""
