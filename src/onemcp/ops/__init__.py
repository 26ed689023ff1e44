"""Operating the gateway: what operators ask of it and what it tells them."""
