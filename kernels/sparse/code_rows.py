"""What sparse integer products over plain rows have in common: their tile, and their operands by role."""

from __future__ import annotations

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Operand, Output, Packed, Site
from edgeopt.kernels.integer.quant_dot import meets_limit
from edgeopt.kernels.integer.quant_operands import RESIDUAL
from edgeopt.kernels.integer.quant_tile import QuantTile
from edgeopt.kernels.integer.requantize import Requantize
from edgeopt.kernels.sparse.entries import Entries
from edgeopt.kernels.sparse.plain_rows import lanes_of, steps
from edgeopt.kernels.sparse.sparse_quant_conv import ROLES
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling


def code_tile(site: Site, tiling: SparseTiling, weight: Array, how: Requantize) -> QuantTile:
    """The tile of a product with ``weight`` [inputs, outputs]: one step of four codes of some rows."""
    inputs, outputs = weight.shape
    places, vectors = steps(tiling, outputs), lanes_of(site)
    return QuantTile(
        pixels=steps(tiling, inputs),
        places=places,
        vectors=vectors,
        loops=(),
        steps=(0,),
        end=how,
        residual=places if how.added else (),
        residual_vectors=vectors if how.added else (),
        limit=meets_limit(site.target, weight),
    )


def code_operands(site: Site, source: Operand, weights: Array, entries: Entries, numbers: Array) -> dict[str, Operand]:
    """The operands by role; ``weights`` are those of ``entries`` as the tile reads them, ``source`` holds the codes of x."""
    added: Operand = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    stored = (weights, entries.offsets, entries.starts, numbers)
    return dict(zip(ROLES, (source, *(Packed(array) for array in stored), added, Output()), strict=True))
