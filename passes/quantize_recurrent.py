"""Float LSTM, GRU or RNN becomes one whose products are of integers, for the layers to which a plan gives grids.

    LSTM(x, W, R, B, ...)   ->   QuantLSTM(QuantizeLinear(x), W', R', B', ..., grids of W', R', x and the units)

W' and R' are the codes of the plan; the half of B' that belongs to the input lies on the grid of its products, since kernels add
it to integers. Where x is made of codes of this type already, these are read. Each layer records the error measured for it.
Not when that half is too large for 32 bits on this grid.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import QuantizationPlan, QuantizedWeight
from edgeopt.ops.qdq import dequantized, grid_values, is_per_tensor
from edgeopt.ops.quantized_recurrent import LENGTHS, QUANTIZED, STATE_GRID, X_GRID
from edgeopt.ops.recurrent import SCALES, WEIGHTS, recurrent_weights
from edgeopt.rewrite import Context, Pass

ERROR = "edgeopt.error"
BIAS, LARGEST = 3, 2.0**30


def make(plan: QuantizationPlan) -> Pass:
    """The pass that carries out this part of ``plan``."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in plan.recurrent_grids or recurrent_weights(node) is None:
            return False
        weights, (read, units) = plan.recurrent[node.name], plan.recurrent_grids[node.name]
        source = _source(node, read)
        scale = read.scale if source is None else source.constant(1)
        assert scale is not None
        bias = _on_grid(node.constant(BIAS), weights[0], scale)
        if bias is not None and not (np.abs(bias[1]) < LARGEST).all():
            return context.decline(node, "its bias does not fit 32 bits on the grid of its products")
        inputs = [node.input(i) for i in range(SCALES[0])]
        inputs[LENGTHS] = None
        inputs[0], *grid = _codes(graph, node, read) if source is None else source.inputs
        for index, made in zip(WEIGHTS, weights, strict=True):
            inputs[index] = graph.constant(f"{node.name}.weight{index}", made.grid.stored(made.codes), made.grid.dtype)
        if bias is not None:
            inputs[BIAS] = graph.constant(f"{node.name}.bias", bias[0])
        inputs += [graph.constant(f"{node.name}.scale{i}", _rows(w)) for i, w in zip(WEIGHTS, weights, strict=True)]
        assert len(inputs) == X_GRID[0] and STATE_GRID[0] == X_GRID[1] + 1
        inputs += [*grid, *grid_values(graph, f"{node.name}.units", units, units.dtype)]
        _put(graph, node, inputs, plan)
        return True

    return Pass("quantize_recurrent", rewrite, contract="approximate")


def _rows(weight: QuantizedWeight) -> Array:
    """The scales of a weight [1, rows or 1, 1]."""
    made: Array = np.asarray(weight.grid.scale, np.float32).reshape(1, -1, 1)
    return made


def _source(node: Node, grid: Quantizer) -> Node | None:
    """The DequantizeLinear whose codes serve as those of x."""
    x = node.input(0)
    found = dequantized(x)
    fits = found is not None and is_per_tensor(found) and dtype_of(found.input(0)) == grid.dtype and found.constant(2) is not None
    return found if fits else None


def _on_grid(bias: Array | None, weight: QuantizedWeight, scale: Array) -> tuple[Array, Array] | None:
    """The bias with its first half on the grid of the products, and what that half is in steps of it."""
    if bias is None:
        return None
    rows = bias.shape[1] // 2
    step = np.float64(scale.item()) * np.asarray(weight.grid.scale, np.float64).reshape(1, -1)
    steps = np.rint(bias[:, :rows] / step)
    return np.concatenate([steps * step, bias[:, rows:]], axis=1).astype(np.float32), steps


def _codes(graph: Graph, node: Node, grid: Quantizer) -> list[Value | None]:
    """The codes of x, with their scale and zero point."""
    x = node.input(0)
    assert x is not None
    parameters = grid_values(graph, f"{node.name}.input", grid, grid.dtype)
    kind = TensorType(grid.dtype, shape_of(x))
    made = graph.make("QuantizeLinear", [x, *parameters], [kind], node, name=f"{node.name}.quantize").output
    return [made, *parameters]


def _put(graph: Graph, node: Node, inputs: list[Value | None], plan: QuantizationPlan) -> None:
    types = [v.type for v in node.outputs]
    kept = {k: v for k, v in node.attributes.items() if not k.startswith("activation")}
    made = graph.make(QUANTIZED[node.op], inputs, types, node, OWN_DOMAIN, node.name, kept)
    made.metadata.update(node.metadata)
    if node.name in plan.errors:
        made.metadata[ERROR] = f"{plan.errors[node.name]:.4g}"
    for old, new in zip(node.outputs, made.outputs, strict=True):
        if old.name:
            graph.replace(old, new)
    graph.erase(node)
