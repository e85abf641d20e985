"""Layers of low rank: two layers with few channels between them.

``response``: the layer itself with few outputs, then a 1x1 convolution. The best one for given inputs is in closed form: the
principal components of the responses (Zhang et al., Accelerating Very Deep Convolutional Networks, 2015, section 3.1); of a
matrix product it is the singular value decomposition in the metric of the inputs. ``input``: a 1x1 convolution to few channels,
then the layer on those. ``spatial``: a k x 1 convolution, then a 1 x k one (Jaderberg et al., 2014). The last two start from the
singular value decomposition of the weight, and alternating least squares fit them to responses. The number in a form is the share
of the layer's multiply-accumulates, in percent.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from edgeopt.forms.structure.bilinear import Product, fitted
from edgeopt.forms.structure.layer import Layer, cheaper, layer_of
from edgeopt.forms.structure.metric import Metric
from edgeopt.forms.structure.technique import Structure
from edgeopt.ir import Array, Node
from edgeopt.ops.chain import Chains, Stage

RESPONSE, INPUT, SPATIAL = "response", "input", "spatial"
SHARES = (25, 50)
KEYS = tuple(f"{kind}-{share}" for kind in (RESPONSE, INPUT, SPATIAL) for share in SHARES)
VECTOR, MANY = 8, 32  # this many channels or more are taken by eights, since kernels work on vectors of them
PRODUCTS = {
    RESPONSE: Product("gnr,grci->gnci", (2, 1)),
    INPUT: Product("gnri,grc->gnci", (2, 1)),
    SPATIAL: Product("gnrw,grch->gnchw", (2, 1)),
}
Factors = tuple[Array, Array]
Chain = tuple[tuple[Stage, ...], ...]


def rank(layer: Layer, kind: str, share: float) -> int:
    """The channels between that leave about ``share`` percent of the work; 0 for a layer that ``kind`` does not suit."""
    if kind != RESPONSE and prod(layer.kernel) == 1 or (kind == SPATIAL and not _flat(layer)):
        return 0
    each = _work(layer, kind)
    found = int(share / 100 * prod(layer.sizes) * prod(layer.results) / each)
    return found - found % VECTOR if found >= MANY else found


def cost(node: Node, key: str) -> int | None:
    """Multiply-accumulates of both layers, where that is less than before."""
    layer, (kind, share) = layer_of(node), _parts(key)
    channels = rank(layer, kind, share) if layer is not None else 0
    return cheaper(layer, layer.shape[0] * channels * _work(layer, kind)) if layer is not None and channels else None


def _work(layer: Layer, kind: str) -> int:
    """Multiply-accumulates for each channel between, in a group."""
    outputs, inputs, taps = layer.sizes
    before, after = prod(layer.places), prod(layer.results)
    if kind == RESPONSE:
        return after * (inputs * taps + outputs)
    if kind == INPUT:
        return before * inputs + after * outputs * taps
    return layer.results[0] * layer.places[1] * inputs * layer.kernel[0] + after * outputs * layer.kernel[1]


def solve(node: Node, key: str, metric: Metric, fit: bool) -> Chains:
    """The factors of the rank that the form asks for, nearest to the weight or to the responses."""
    layer, (kind, share) = metric.layer(node), _parts(key)
    return factored(layer, kind, rank(layer, kind, share), metric, fit)


def factored(layer: Layer, kind: str, channels: int, metric: Metric, fit: bool) -> Chains:
    """``layer`` with ``channels`` between two factors of ``kind``."""
    product, start = PRODUCTS[kind], STARTS[kind]
    target = layer.weight.reshape(*layer.shape[:3], *layer.kernel) if kind == SPATIAL else layer.weight
    a, b = start(target, metric, channels)
    if fit and kind != RESPONSE:
        a, b = fitted(product, target, metric.second, a, b)
    return layer.became(STAGES[kind](layer, a, b), product.made(a, b).reshape(layer.shape), metric)


def _parts(key: str) -> tuple[str, int]:
    kind, share = key.rsplit("-", 1)
    return kind, int(share)


def _flat(layer: Layer) -> bool:
    return len(layer.kernel) == 2 and min(layer.kernel) > 1


def _by_responses(weight: Array, metric: Metric, channels: int) -> Factors:
    """The principal components of the responses, and what the layer adds to each of them."""
    flat = weight.reshape(*weight.shape[:2], -1)
    _, vectors = np.linalg.eigh(flat @ metric.second @ flat.transpose(0, 2, 1))
    main = vectors[..., ::-1][..., :channels]
    return main, (main.transpose(0, 2, 1) @ flat).reshape(len(flat), -1, *weight.shape[2:])


def _by_inputs(weight: Array, metric: Metric, channels: int) -> Factors:
    groups, outputs, inputs, taps = weight.shape
    u, s, v = _split(weight.transpose(0, 1, 3, 2).reshape(groups, outputs * taps, inputs), channels)
    return (u * s).reshape(groups, outputs, taps, -1).transpose(0, 1, 3, 2), v


def _by_axes(weight: Array, metric: Metric, channels: int) -> Factors:
    groups, outputs, inputs, height, width = weight.shape
    rows = weight.transpose(0, 1, 4, 2, 3).reshape(groups, outputs * width, inputs * height)
    u, s, v = _split(rows, channels)
    return (u * s).reshape(groups, outputs, width, -1).transpose(0, 1, 3, 2), v.reshape(groups, -1, inputs, height)


def _split(matrix: Array, channels: int) -> tuple[Array, Array, Array]:
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    return u[..., :channels], s[:, None, :channels], v[:, :channels]


def _response_stages(layer: Layer, a: Array, b: Array) -> Chain:
    groups, outputs, channels = a.shape
    if layer.node.op == "FusedGemm":
        return ((Stage((b[0, :, :, 0].T.copy(),)), Stage((a[0].T.copy(),))),)
    first = layer.kernels(b.reshape(groups * channels, *b.shape[2:]))
    return ((Stage((first,), groups, **layer.window), Stage((layer.kernels(a.reshape(-1, channels)),), groups)),)


def _input_stages(layer: Layer, a: Array, b: Array) -> Chain:
    groups, channels, inputs = b.shape
    second = layer.kernels(a.reshape(-1, channels, a.shape[3]))
    return ((Stage((layer.kernels(b.reshape(-1, inputs)),), groups), Stage((second,), groups, **layer.window)),)


def _spatial_stages(layer: Layer, a: Array, b: Array) -> Chain:
    groups, channels, inputs, height = b.shape
    first = b.reshape(groups * channels, inputs, height, 1).astype(np.float32)
    second = a.reshape(-1, channels, 1, a.shape[3]).astype(np.float32)
    return ((Stage((first,), groups, **layer.along(0)), Stage((second,), groups, **layer.along(1))),)


STARTS: dict[str, Callable[[Array, Metric, int], Factors]] = {RESPONSE: _by_responses, INPUT: _by_inputs, SPATIAL: _by_axes}
STAGES: dict[str, Callable[[Layer, Array, Array], Chain]] = {
    RESPONSE: _response_stages,
    INPUT: _input_stages,
    SPATIAL: _spatial_stages,
}
LOW_RANK = Structure(
    name="low_rank",
    about="two layers with few channels between them: principal responses, 1x1 bottlenecks, k x 1 and 1 x k",
    done="reduced in rank",
    lacks="layer that a lower rank makes cheaper",
    keys=KEYS,
    cost=cost,
    solve=solve,
)
