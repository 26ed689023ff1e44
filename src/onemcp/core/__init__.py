"""The decisions, as pure values and functions: no I/O, no clock (`now` is passed in), no framework."""
