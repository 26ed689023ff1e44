"""The JSON Schema of the configuration file, made from the table of settings and the keys there are."""
