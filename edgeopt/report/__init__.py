"""What a model costs, and tables that say so."""

from edgeopt.report.layers import Layer, Totals, layers, totals
from edgeopt.report.macs import macs

__all__ = ["Layer", "Totals", "layers", "macs", "totals"]
