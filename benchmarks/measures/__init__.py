"""What is measured. A measure is given a `Setting` and returns the samples of one round."""
