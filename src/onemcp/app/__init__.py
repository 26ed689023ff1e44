"""The application: the only package that constructs. Starting is nesting, stopping is unwinding."""
