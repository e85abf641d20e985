"""A convolution as a sum of T pairs of a depthwise and a pointwise one, in either order (Guo et al., Network Decoupling, 2018).

Depthwise first, W[n, c, :] = sum over t of P[n, c, t] D[c, t, :]: for each input channel a matrix of outputs and taps of rank T.
The T pairs share one pointwise convolution, which reads the T depthwise results side by side. Pointwise first, W[n, c, :] = sum
over t of P[n, t, c] D[n, t, :]: for each output channel a matrix of inputs and taps. Both are exact where T reaches the smaller
side, and by the singular value decomposition of these matrices nearest to W at rank T; alternating least squares then fit them to
responses. One depthwise convolution with T results for each channel would say the same; it has no kernel of its own here, and
where it was timed (16 to 256 channels, AVX-512) it took 1.5 to 5 times as long as T plain ones.
"""

from __future__ import annotations

from math import prod

import numpy as np

from edgeopt.forms.structure.bilinear import Product, fitted
from edgeopt.forms.structure.layer import Layer, cheaper, layer_of
from edgeopt.forms.structure.metric import Metric
from edgeopt.forms.structure.technique import Structure
from edgeopt.ir import Array, Node
from edgeopt.ops.chain import Chains, Stage

DEPTHWISE, POINTWISE = "depthwise-first", "pointwise-first"
KEYS = tuple(f"{kind}-{pairs}" for pairs in (1, 2, 3, 4) for kind in (DEPTHWISE, POINTWISE))
PRODUCTS = {DEPTHWISE: Product("gnct,gcti->gnci", (2, 1)), POINTWISE: Product("gntc,gnti->gnci", (2, 2))}


def cost(node: Node, key: str) -> int | None:
    """Multiply-accumulates with the pairs, where that is less than before."""
    layer, (kind, pairs) = layer_of(node), _parts(key)
    if layer is None or prod(layer.kernel) == 1:
        return None
    groups, outputs, inputs, taps = layer.shape
    wide = inputs if kind == DEPTHWISE else outputs
    if pairs > min(taps, outputs if kind == DEPTHWISE else inputs):
        return None
    mixed = prod(layer.results if kind == DEPTHWISE else layer.places)
    return cheaper(layer, pairs * groups * (wide * taps * prod(layer.results) + outputs * inputs * mixed))


def solve(node: Node, key: str, metric: Metric, fit: bool) -> Chains:
    """The pairs nearest to the weight, fitted to responses where that is asked for."""
    layer, (kind, pairs) = metric.layer(node), _parts(key)
    product, (a, b) = PRODUCTS[kind], _nearest(layer.weight, kind, pairs)
    if fit:
        a, b = fitted(product, layer.weight, metric.second, a, b)
    stages = _depthwise_first if kind == DEPTHWISE else _pointwise_first
    return layer.became(stages(layer, a, b), product.made(a, b), metric)


def _parts(key: str) -> tuple[str, int]:
    kind, pairs = key.rsplit("-", 1)
    return kind, int(pairs)


def _nearest(weight: Array, kind: str, pairs: int) -> tuple[Array, Array]:
    """The factors of rank ``pairs`` nearest to ``weight`` [g, n, c, i]: pointwise ones, and depthwise ones of length one."""
    u, s, v = np.linalg.svd(weight.transpose(0, 2, 1, 3) if kind == DEPTHWISE else weight, full_matrices=False)
    mixing, spatial = u[..., :pairs] * s[..., None, :pairs], v[..., :pairs, :]
    return (mixing.transpose(0, 2, 1, 3) if kind == DEPTHWISE else mixing.transpose(0, 1, 3, 2)), spatial


def _depthwise_first(layer: Layer, mixing: Array, spatial: Array) -> tuple[tuple[Stage, ...], ...]:
    """From P [g, n, c, t] and D [g, c, t, i]."""
    groups, outputs, inputs, pairs = mixing.shape
    channels, taps = groups * inputs, spatial.shape[3]
    filters = tuple(layer.kernels(spatial[:, :, t].reshape(channels, 1, taps)) for t in range(pairs))
    if groups == 1:
        mixed = mixing[0].transpose(0, 2, 1).reshape(outputs, pairs * inputs)
        return ((Stage(filters, channels, **layer.window), Stage((layer.kernels(mixed),))),)
    each = [layer.kernels(mixing[..., t].reshape(groups * outputs, inputs)) for t in range(pairs)]
    return tuple((Stage((f,), channels, **layer.window), Stage((m,), groups)) for f, m in zip(filters, each, strict=True))


def _pointwise_first(layer: Layer, mixing: Array, spatial: Array) -> tuple[tuple[Stage, ...], ...]:
    """From P [g, n, t, c] and D [g, n, t, i]."""
    groups, outputs, pairs, inputs = mixing.shape
    channels, taps = groups * outputs, spatial.shape[3]
    each = [
        (layer.kernels(mixing[:, :, t].reshape(channels, inputs)), layer.kernels(spatial[:, :, t].reshape(channels, 1, taps)))
        for t in range(pairs)
    ]
    return tuple((Stage((mixed,), groups), Stage((filters,), channels, **layer.window)) for mixed, filters in each)


SEPARATE_DEPTHWISE = Structure(
    name="separate_depthwise",
    about="convolutions as sums of pairs of a depthwise and a pointwise one, fitted to responses",
    done="separated",
    lacks="convolution that pairs of a depthwise and a pointwise one make cheaper",
    keys=KEYS,
    cost=cost,
    solve=solve,
)
