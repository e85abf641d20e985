"""Cutting a network over device, edge servers and cloud: prices, the best cuts, and a compiled part for each tier."""
