"""MCP on the wire, as pure functions: envelopes, revisions, headers, framing. No I/O, no clock, no framework."""
