"""How far apart is still the same."""

from __future__ import annotations

TOLERANCE = 1e-4  # of the range of an output
