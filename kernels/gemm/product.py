"""Matrix products of plain tensors: what MatMul, Gemm and FusedGemm have in common, and the walk over tiles.

    Y[n, i, j] = activation(sum over k of A[n, i, k] * W[n, k, j] + bias[j] + R[n, i, j])

Constant matrices are packed in panels of some output vectors ``[panel][k][vector][lane]``; the last panel may be narrower, and
its last vector partly empty. Other matrices are read where they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Operand, Output, Packed, Prepared, Site, Tensor
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.micro import STEPS, Loop, Tile, tile_function
from edgeopt.target import Target

# chunks of a call, about; multiply-adds below which a chunk is not worth a claim; both chosen by hand
CHUNKS, CRUMB = 32, 250_000


@dataclass(frozen=True)
class Product:
    """A product of ``images`` matrices [rows, depth] x [depth, columns]; ``shared``: one right-hand matrix for all."""

    images: int
    rows: int
    depth: int
    columns: int
    shared: bool


@dataclass(frozen=True, eq=False)
class Terms:
    """The operands of a product besides A: the matrix if constant, the bias, the index of the residual input."""

    matrix: Array | None
    bias: Array
    residual: int | None
    activation: Activation


def product_of(site: Site) -> tuple[Product, Terms]:
    """The product a node computes. Raises Declined for types, transpositions and broadcasts it cannot express."""
    a, w, y = site.given(0), site.given(1), site.outputs[0]
    if any(t.type.dtype != "float32" or t.layout.block for t in (a, w, y)):
        raise Declined("its operands are not plain float32")
    if site.node.op == "Gemm":
        return _gemm(site, a, w, y)
    if len(a.shape) < 2 or len(w.shape) < 2:
        raise Declined("an operand is a vector")
    if len(w.shape) == 2 or all(d == 1 for d in w.shape[:-2]):
        rows, images, shared = int(np.prod(y.shape[:-1])), 1, True
        if a.shape[:-1] != y.shape[:-1]:
            raise Declined("its left operand is broadcast")
    else:
        rows, images, shared = a.shape[-2], int(np.prod(y.shape[:-2])), False
        if a.shape[:-2] != w.shape[:-2]:
            raise Declined("an operand is broadcast")
    product = Product(images, rows, w.shape[-2], w.shape[-1], shared)
    bias, residual = _bias(site, 2, 1.0, product), 3 if site.optional(3) is not None else None
    matrix = w.array.reshape(-1, product.depth, product.columns) if w.array is not None else None
    return product, Terms(matrix, bias, residual, activation_of(site.node))


def _gemm(site: Site, a: Tensor, w: Tensor, y: Tensor) -> tuple[Product, Terms]:
    node, addend = site.node, site.optional(2)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    if node.integer("transA", 0):
        raise Declined("its left operand is transposed")
    if w.array is None and (node.integer("transB", 0) or alpha != 1.0):
        raise Declined("its right operand is computed, and transposed or scaled")
    product = Product(1, y.shape[0], a.shape[1], y.shape[1], True)
    matrix = None if w.array is None else (w.array.T if node.integer("transB", 0) else w.array) * np.float32(alpha)
    whole = addend is not None and addend.array is None and addend.shape == y.shape and beta == 1.0
    bias = np.zeros(0, np.float32) if whole else _bias(site, 2, beta, product)
    return product, Terms(None if matrix is None else matrix[None], bias, 2 if whole else None, Activation())


def _bias(site: Site, index: int, scale: float, product: Product) -> Array:
    addend = site.optional(index)
    if addend is None:
        return np.zeros(0, np.float32)
    array = site.constant(index)
    if array.size not in (1, array.shape[-1] if array.ndim else 1):
        raise Declined("its addend is a matrix")
    return np.broadcast_to(array.reshape(-1), (product.columns,)) * np.float32(scale)


@dataclass(frozen=True)
class Walk:
    """How tiles of ``pixels`` rows x ``vectors`` output vectors are visited: chunk = ``run`` row tiles of a panel of an image."""

    product: Product
    pixels: int
    vectors: int
    run: int
    panels: int
    packed: bool

    @property
    def parts(self) -> int:
        """Chunks of one panel."""
        return -(-self.tiles // self.run)

    @property
    def tiles(self) -> int:
        """Row tiles; the last is moved up to end with the rows."""
        return -(-self.product.rows // self.pixels)


@dataclass(frozen=True)
class Panels:
    """The form of a product (a, w, b, r, y): the tiles ``whole``, and ``last`` in the last panel, at every place of ``walk``."""

    walk: Walk
    whole: Tile
    last: Tile


def prepared(site: Site, product: Product, terms: Terms, pixels: int, vectors: int) -> Prepared:
    """``product`` with tiles of ``pixels`` rows x ``vectors`` output vectors; its form is the Walk."""
    target, lanes = site.target, site.target.lanes
    total = -(-product.columns // lanes)
    vectors = min(vectors, total)
    panels = -(-total // vectors)
    tiles = -(-product.rows // pixels)
    crumb = -(-CRUMB // (pixels * vectors * lanes * product.depth))
    run = min(tiles, max(crumb, -(-tiles * panels * product.images // CHUNKS)))
    walk = Walk(product, pixels, vectors, run, panels, terms.matrix is not None)
    whole, last = (_tile(walk, target, terms, first) for first in (False, True))
    bias = np.zeros(panels * vectors * lanes, np.float32)
    bias[: terms.bias.size] = terms.bias
    matrix: Operand = Input(1) if terms.matrix is None else Packed.moved(terms.matrix, pack, vectors, lanes)
    added: Operand = Output() if terms.residual is None else Input(terms.residual)
    function = _function(target, walk, whole, last)
    operands = {"x": Input(0), "weights": matrix, "bias": Packed(bias), "residual": added, "y": Output()}
    return Prepared(function, operands, product.images * panels * walk.parts, walk.parts, form=walk)


def _tile(walk: Walk, target: Target, terms: Terms, last: bool) -> Tile:
    product, lanes = walk.product, target.lanes
    total = -(-product.columns // lanes)
    vectors = total - (walk.panels - 1) * walk.vectors if last else walk.vectors
    full = product.depth // STEPS
    places = tuple(i * product.columns for i in range(walk.pixels))
    return Tile(
        pixels=tuple(i * product.depth for i in range(walk.pixels)),
        places=places,
        vectors=tuple(v * lanes for v in range(vectors)),
        loops=(Loop(full, STEPS),) if full else (),
        steps=tuple(range(STEPS)),
        residual=places if terms.residual is not None else (),
        residual_vectors=tuple(v * lanes for v in range(vectors)),
        activation=terms.activation,
        tail=tuple(range(full * STEPS, product.depth)),
        weight_step=0 if walk.packed else product.columns,
        valid=product.columns % lanes if last else 0,
    )


def _function(target: Target, walk: Walk, whole: Tile, last: Tile) -> Callable[..., None]:
    inner, final = tile_function(target, whole), tile_function(target, last)
    rows, depth, columns = walk.product.rows, walk.product.depth, walk.product.columns
    tiles, run, parts, panels, pixels = walk.tiles, walk.run, walk.parts, walk.panels, walk.pixels
    width = walk.vectors * target.lanes
    panel_stride = depth * width if walk.packed else width
    matrix = ((panels - 1) * width + len(last.vectors) * target.lanes) if walk.packed else columns
    image_stride = 0 if walk.product.shared else depth * matrix

    def multiply(a: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, rest = chunk // (panels * parts), chunk % (panels * parts)
            panel, first = rest // parts, rest % parts * run
            wc, bc = offset(w, image * image_stride + panel * panel_stride), offset(b, panel * width)
            for t in range(first, first + run if first + run < tiles else tiles):
                row = image * rows + (t * pixels if t < tiles - 1 else rows - pixels)
                here = row * columns + panel * width
                if panel < panels - 1:
                    inner(offset(a, row * depth), wc, bc, offset(r, here), offset(y, here))
                else:
                    final(offset(a, row * depth), wc, bc, offset(r, here), offset(y, here))

    return stating(multiply, Panels(walk, whole, last))


def pack(matrix: Array, vectors: int, lanes: int) -> Array:
    """Matrices [n, k, j] as ``[n][panel][k][vector][lane]``; the last panel has only the vectors it needs."""
    images, depth, columns = matrix.shape
    total = -(-columns // lanes)
    padded = np.zeros((images, depth, total * lanes), matrix.dtype)
    padded[:, :, :columns] = matrix
    whole = (total - 1) // vectors * vectors * lanes
    panels = padded[:, :, :whole].reshape(images, depth, -1, vectors * lanes).transpose(0, 2, 1, 3)
    return np.concatenate([panels.reshape(images, -1), padded[:, :, whole:].reshape(images, -1)], axis=1)
