"""MCP semantics between the edges and the upstreams: relaying, lists, sessions, notices, loading."""
