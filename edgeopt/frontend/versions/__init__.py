"""What operators of older operator sets mean: for each a body of nodes as today's operator sets have them.

An operator that is not named here means the same at every version from 7 on, or is told apart by the operator set that the
graph keeps (13 and above).
"""

from __future__ import annotations

from edgeopt.frontend.versions import inputs, normalization, recurrent, resize, softmax, windows
from edgeopt.frontend.versions.adapter import Adapter

ADAPTERS: dict[str, Adapter] = {
    **inputs.ADAPTERS,
    **normalization.ADAPTERS,
    **recurrent.ADAPTERS,
    **resize.ADAPTERS,
    **softmax.ADAPTERS,
    **windows.ADAPTERS,
}

__all__ = ["ADAPTERS", "Adapter"]
