"""What a call through onemcp costs, beside the same call sent directly to the upstream."""
