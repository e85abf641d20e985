"""How fast the servers are, and what malformed requests do to them: ``python -m benchmarks.serving``."""
