"""The geometry of a sparse matrix product over plain rows, the same for floats and codes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Operand, Output, Packed, Site
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.sparse.entries import HEIGHT, Entries
from edgeopt.kernels.sparse.sparse_conv import RESIDUAL, ROLES, biases
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling, choose
from edgeopt.kernels.sparse.sparse_walk import Surface, Walk, chunk_size
from edgeopt.kernels.walk.micro import Tile


def row_tiling(site: Site, weight: Array, width: int, room: int, blocks: float, product: float) -> SparseTiling:
    """The tiling of the rows of a dense ``site`` with ``weight`` [inputs, outputs]. Raises Declined for what cannot be walked."""
    x, y, (inputs, outputs) = site.given(0), site.outputs[0], weight.shape
    if x.layout.block or y.layout.block:
        raise Declined("its operands do not lie plain")
    if outputs < HEIGHT or inputs < width or HEIGHT % site.target.lanes:
        raise Declined(f"a matrix of {inputs} x {outputs} is too small")
    return choose((1, prod(y.shape[:-1])), HEIGHT // site.target.lanes, room, blocks, product)


def row_walk(site: Site, weight: Array, tiling: SparseTiling, blocks: float, width: int) -> Walk:
    """The Walk of a product whose rows of blocks have ``blocks`` by ``width`` inputs. One image has all the rows."""
    rows, (inputs, outputs) = prod(site.outputs[0].shape[:-1]), weight.shape
    work = blocks * HEIGHT * width * tiling.positions
    run, span = chunk_size(site.target, tiling, work, rows * inputs * (4 // width), -(-outputs // HEIGHT), 1)
    x, y = Surface(0, 0, 1, 0, inputs), Surface(0, 0, 1, 0, outputs)
    return Walk(1, (1, rows), tiling, outputs, 1, run, span, x, y, y)


def steps(tiling: SparseTiling, stride: int) -> tuple[int, ...]:
    """The offsets of the rows of a tile."""
    return tuple(i * stride for i in range(tiling.positions))


def lanes_of(site: Site) -> tuple[int, ...]:
    """The offsets of the output vectors of a block."""
    return tuple(range(0, HEIGHT, site.target.lanes))


def inputs_at(taps: Array, inputs: Array) -> Array:
    """Where a block reads x: its inputs lie side by side, and there is one tap."""
    return inputs


def row_bias(site: Site, weight: Array) -> Array:
    """The biases of a float product with ``weight`` [inputs, outputs], or no numbers. Raises Declined for other shapes of it."""
    bias = site.constant(2).reshape(-1) if site.optional(2) is not None else np.zeros(0, np.float32)
    if bias.size not in (0, weight.shape[1]):
        raise Declined("its bias is none for each output")
    return bias


def row_operands(site: Site, entries: Entries, bias: Array, rows: Sequence[int]) -> dict[str, Operand]:
    """The operands of such a product by role, with ``entries`` as its weights."""
    added: Operand = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    stored = (entries.weights, entries.offsets, entries.starts, biases(bias, rows))
    return dict(zip(ROLES, (Input(0), *(Packed(array) for array in stored), added, Output()), strict=True))


def row_tile(site: Site, tiling: SparseTiling, weight: Array) -> Tile:
    """The tile of such a product."""
    inputs, outputs = weight.shape
    places, vectors, added = steps(tiling, outputs), lanes_of(site), site.optional(RESIDUAL) is not None
    return Tile(
        pixels=steps(tiling, inputs),
        places=places,
        vectors=vectors,
        loops=(),
        steps=(0,),
        residual=places if added else (),
        residual_vectors=vectors if added else (),
        activation=activation_of(site.node),
    )
