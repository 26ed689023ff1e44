"""The outbound HTTP client: pooled keep-alive exchanges with one origin, and streams."""
