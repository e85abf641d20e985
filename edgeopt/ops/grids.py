"""What is to be quantised in one graph, and how: the input of the quantising passes, and which values share a grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ir.match import dtype_of, scalar, shape_of, sole_user
from edgeopt.ops.grid import Quantizer, weight_quantizer

LINEAR = ("FusedConv", "FusedGemm")
# The output holds elements of the input and perhaps zeros, so that both share one grid.
MOVERS = ("MaxPool", "Reshape", "Slice", "Transpose", "Concat", "Pad", "Relu", "Identity", "DepthToSpace", "SpaceToDepth")
# Served as one integer operator between Q and DQ, with a grid of its own for the output.
ARITHMETIC = ("Add", "AveragePool", "GlobalAveragePool", "Mul")


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Codes of a weight in the layout of the node, with their grid, and the float32 bias when it was corrected."""

    codes: Array
    grid: Quantizer
    bias: Array | None = None

    @property
    def array(self) -> Array:
        """The float32 weight that the codes stand for; half precision is kept as the numbers themselves."""
        if self.grid.dtype == "float16":
            return self.codes
        return self.grid.dequantize(self.codes)


RecurrentWeights = tuple[QuantizedWeight, QuantizedWeight]  # of the input and of the units
RecurrentGrids = tuple[Quantizer, Quantizer]  # likewise


@dataclass
class QuantizationPlan:
    """``weights`` by name of the FusedConv, FusedGemm or ConvTranspose, ``activations`` by name of the value that is rounded.

    The layers in ``dynamic`` round what they read at run time. ``recurrent`` are the weights of LSTM, GRU and RNN; those that
    have ``recurrent_grids``, of their input and of their units, multiply integers, and what the others read stays float.
    """

    weights: dict[str, QuantizedWeight] = field(default_factory=dict)
    activations: dict[str, Quantizer] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    dynamic: frozenset[str] = frozenset()
    recurrent: dict[str, RecurrentWeights] = field(default_factory=dict)
    recurrent_grids: dict[str, RecurrentGrids] = field(default_factory=dict)


def weight_axis(node: Node) -> int:
    """The axis of a layer's weight that holds the output channels; groups of a ConvTranspose share it, and so their scales."""
    return 0 if node.op == "FusedConv" else 1


def linear_nodes(graph: Graph) -> list[Node]:
    """The FusedConv and FusedGemm nodes in float32 whose weight and bias are constant."""
    return [n for n in graph.nodes if n.is_own(*LINEAR) and _is_constant(n)]


def quantizable_nodes(graph: Graph) -> list[Node]:
    """The ``linear_nodes`` and the ConvTransposes over two axes with explicit pads, which have an integer kernel, in order."""
    return [n for n in graph.nodes if (n.is_own(*LINEAR) or _is_plane(n)) and _is_constant(n)]


def _is_constant(node: Node) -> bool:
    known = node.constant(1) is not None and (node.input(2) is None or node.constant(2) is not None)
    return known and dtype_of(node.output) == "float32"


def _is_plane(node: Node) -> bool:
    explicit = node.text("auto_pad", "NOTSET") == "NOTSET" and not node.integers("output_shape")
    return node.is_op("ConvTranspose") and explicit and len(shape_of(node.input(1)) or ()) == 4


def round_weight(node: Node, dtype: str, per_channel: bool, weight: Array | None = None) -> QuantizedWeight:
    """The weight of ``node`` (or ``weight`` in its place) rounded to nearest on the grid that its extremes span."""
    array = node.constant(1) if weight is None else weight
    assert array is not None
    axis = weight_axis(node)
    others = tuple(i for i in range(array.ndim) if i != axis)
    bound = np.abs(array).max(axis=others) if per_channel else np.abs(array).max()
    grid = weight_quantizer(bound, dtype, axis if per_channel else None)
    return QuantizedWeight(grid.quantize(array), grid)


def grid_groups(graph: Graph, nodes: Iterable[Node]) -> list[list[Value]]:
    """The values that are rounded when ``nodes`` are quantised, in groups that share one grid, in order of the graph.

    Rounded are the inputs and residuals of ``nodes`` and what flows between them through pools, sums and movers; an output that
    nothing but the caller or a float operator reads stays as it is computed.
    """
    return sharing_grids(graph, _rounded_values(graph, set(nodes)))


def sharing_grids(graph: Graph, values: Iterable[Value]) -> list[list[Value]]:
    """``values`` in groups that share one grid, because operators move elements from one to the other.

    The parts of a concatenation keep grids of their own when only some are never negative: those would lose half their codes.
    """
    values = list(values)
    leader: dict[Value, Value] = {v: v for v in values}

    def find(value: Value) -> Value:
        while leader[value] is not value:
            value = leader[value]
        return value

    for node in graph.nodes:
        if node.is_op(*MOVERS) and node.output in leader and not _mixes_signs(node):
            for source in [v for v in node.inputs if v is not None and v in leader]:
                leader[find(node.output)] = find(source)
    groups: dict[Value, list[Value]] = {}
    for value in values:
        groups.setdefault(find(value), []).append(value)
    return list(groups.values())


def _rounded_values(graph: Graph, chosen: set[Node]) -> dict[Value, None]:
    """Walk backwards from the inputs of the chosen nodes through movers and arithmetic to where rounding begins."""
    found: dict[Value, None] = {}
    fused: set[Value] = set()
    for node in reversed(graph.nodes):
        wanted = node.output in found or node.output in fused
        if wanted and limits_a_sum(node):
            fused.update(v for v in node.inputs[:1] if v is not None)
        elif node in chosen or (wanted and node.is_op(*MOVERS, *ARITHMETIC)):
            reads = [node.input(0), node.input(3)] if node in chosen else node.inputs
            found.update({v: None for v in reads if v is not None and not v.is_constant and dtype_of(v) == "float32"})
    order = [*graph.inputs, *(o for n in graph.nodes for o in n.outputs)]
    return {v: None for v in order if v in found}


def limits_a_sum(node: Node) -> bool:
    """True for a Relu or Clip that alone reads a sum or product: one integer operator, rounded once."""
    source = node.input(0)
    before = source.producer if source is not None else None
    return node.is_op("Relu", "Clip") and before is not None and before.is_op("Add", "Mul") and sole_user(source) is node


def _mixes_signs(node: Node) -> bool:
    return node.is_op("Concat") and len({_never_negative(v) for v in node.inputs}) > 1


def _never_negative(value: Value | None) -> bool:
    """True when the operator that makes ``value`` shows that it holds no negative numbers."""
    node = value.producer if value is not None else None
    if node is None:
        return False
    kind = node.text("activation", "") if node.is_own(*LINEAR) else node.op
    if kind in ("Relu", "Sigmoid", "HardSigmoid", "Softmax"):
        return True
    if kind == "Clip":
        low = node.real("alpha", -1.0) if node.is_own(*LINEAR) else scalar(node, 1)
        return low is not None and low >= 0
    return node.is_op(*MOVERS, "AveragePool", "GlobalAveragePool") and all(_never_negative(v) for v in node.inputs[:1])
