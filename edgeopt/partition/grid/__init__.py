"""Vertical partition: the first layers of a network as a grid of tiles, each for a machine of its own, with exact results."""
