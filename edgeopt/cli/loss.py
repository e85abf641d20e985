"""How a loss in percentage points is said: nobody should have to read a gain off a sign."""

from __future__ import annotations


def told(points: float, unit: str = "points") -> str:
    """``0.75 points lost``, or of what is below zero ``0.75 points gained``."""
    return f"{abs(points):.2f} {unit} {'gained' if points <= -0.005 else 'lost'}"
