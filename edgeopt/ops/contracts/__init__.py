"""What every operator asks of its operands, checked once before any kernel is chosen: rank, sizes, attribute ranges, indices.

Kernels trust these rules: what a rule lets pass, a kernel may follow with raw pointers.
"""

from edgeopt.ops.contracts.arrays import require_arrays_fit
from edgeopt.ops.contracts.operands import Misfit, Open, Operands
from edgeopt.ops.contracts.table import RULES, misfit, require_fit

__all__ = ["RULES", "Misfit", "Open", "Operands", "misfit", "require_arrays_fit", "require_fit"]
