"""LSTM, GRU or RNN whose weights are quantised constants becomes one operator that keeps their codes.

    LSTM(x, DequantizeLinear(W'), DequantizeLinear(R'), ...)   ->   HybridLSTM(x, W', R', ..., scale of W, scale of R)
    LSTM(x, Cast(W' in float16), Cast(R' in float16), ...)     ->   HybridLSTM(x, W', R', ...)

The same for GRU and RNN. Weights stay in their few bits in memory, and kernels widen them. Zero points are subtracted from the
codes. The numbers are those of the float operator with the dequantised weights.
Not where no kernel reads codes: gates that are clipped or coupled, activations without a vector form, a computed bias. Not when
only one of them is quantised; when scales lie along another axis than the gates; or when the codes less their zero points do not
fit 8 bits.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, Value
from edgeopt.ir.match import dtype_of
from edgeopt.ops.recurrent import CODES, GATES, HYBRID, SCALES, WEIGHTS, weight_source
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.domain or not any(_is_stored(node.input(i)) for i in WEIGHTS):
        return False
    inputs = [node.input(i) for i in range(SCALES[-1] + 1)]
    sources = [weight_source(node, i) for i in WEIGHTS]
    reasons = [source if isinstance(source, str) else _too_wide(source) for source in sources]
    if any(reasons):
        return context.decline(node, reasons[0] or reasons[1])
    for source, weight, scale in zip(sources, WEIGHTS, SCALES, strict=True):
        assert isinstance(source, Node)
        inputs[weight], inputs[scale] = _stored(graph, source)
    while inputs[-1] is None:
        inputs.pop()
    types = [v.type for v in node.outputs]
    made = graph.make(HYBRID[node.op], inputs, types, node, OWN_DOMAIN, node.name, node.attributes)
    made.metadata.update(node.metadata)
    for old, new in zip(node.outputs, made.outputs, strict=True):
        if old.name:
            graph.replace(old, new)
    graph.erase(node)
    return True


def _is_stored(value: Value | None) -> bool:
    return value is not None and value.producer is not None and value.producer.is_op("DequantizeLinear", "Cast")


def _too_wide(source: Node) -> str:
    """Why the codes of ``source`` cannot be kept; '' when they can."""
    wide = not source.is_op("Cast") and np.abs(_centred(source)).max(initial=0) > 127 and not _is_centred(source)
    return "its codes less the zero point do not fit 8 bits" if wide else ""


def _is_centred(source: Node) -> bool:
    zero = source.constant(2)
    return (zero is None or not zero.astype(np.int64).any()) and dtype_of(source.input(0)) in CODES


def _centred(source: Node) -> Array:
    """The codes less their zero points."""
    codes, zero = source.constant(0), source.constant(2)
    assert codes is not None
    offset = np.zeros(1, np.int64) if zero is None else zero.astype(np.int64).reshape(1, -1, 1)
    made: Array = codes.astype(np.int64) - offset
    return made


def _stored(graph: Graph, source: Node) -> tuple[Value, Value | None]:
    """The centred codes and their scale [1, gates * hidden or 1, 1]; half precision has none."""
    stored, numbers = source.input(0), source.constant(1)
    assert stored is not None
    if numbers is None:
        return stored, None
    scale = graph.constant(f"{source.name}.rows", numbers.reshape(1, -1, 1))
    if _is_centred(source):
        return stored, scale
    return graph.constant(f"{source.name}.centred", _centred(source).astype(np.int8)), scale


PASS = Pass("fold_recurrent_dequantization", rewrite, roots=tuple(GATES))
