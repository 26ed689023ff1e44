"""What people write: the configuration file, the environment and the options, read into frozen values."""
