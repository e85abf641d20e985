"""The ways to train, one in each file."""
