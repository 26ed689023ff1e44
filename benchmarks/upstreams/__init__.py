"""MCP servers that do next to nothing, so that what is measured is what stands in front of them."""
