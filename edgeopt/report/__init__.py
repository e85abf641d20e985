"""What a model costs, and tables that say so."""

from edgeopt.ops.macs import macs
from edgeopt.report.layers import Layer, Totals, layers, totals

__all__ = ["Layer", "Totals", "layers", "macs", "totals"]
