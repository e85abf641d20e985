"""The front of a network that can be computed row by row as the rows of its input come in: layers up to the first join."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of
from edgeopt.kernels.call import Declined
from edgeopt.kernels.walk.plane_window import PlaneWindow, plane_window
from edgeopt.lower.last import CHANNELS_FIRST
from edgeopt.lower.select import BYTES, can_block
from edgeopt.ops.permutation import UNARY

VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
WEIGHT, ZERO, RESIDUAL = 3, 2, 9  # inputs of QuantConv


@dataclass(frozen=True)
class Window:
    """Rows of a map that a row of results is made of: ``rows``, every ``stride``.

    ``above`` and ``below`` the map lie rows of the byte ``fill``; ``beside`` are the columns left and right of it.
    """

    rows: int = 1
    stride: int = 1
    above: int = 0
    below: int = 0
    fill: int = 0
    beside: tuple[int, int] = (0, 0)

    @property
    def single(self) -> bool:
        """Whether each row makes a row."""
        return self.rows == self.stride == 1 and not self.above and not self.below


@dataclass(frozen=True, eq=False)
class Piece:
    """Layers of which the first reads ``window`` and each of the others makes a row of every row."""

    window: Window
    nodes: list[Node]


@dataclass(frozen=True, eq=False)
class Front:
    """``views`` of the input make it the map ``source``, whose rows lie one after another; ``pieces`` follow each other."""

    views: list[Node]
    source: Value
    pieces: list[Piece]
    end: str  # why it goes no further


def front(graph: Graph) -> Front:
    """The front of ``graph``. Raises EdgeoptError where its input has no rows, or its first layer needs more than a few."""
    views, source = _source(graph)
    pieces: list[Piece] = []
    value = source
    while not (end := _end(graph, value)):
        node = value.users[0]
        window = _window(node)
        if isinstance(window, str):
            end = f"{node!r} {window}"
            break
        if window.single and pieces:
            pieces[-1].nodes.append(node)
        else:
            pieces.append(Piece(window, [node]))
        value = node.output
    found = _in_bytes(pieces)
    if not found:
        raise EdgeoptError(f"the input cannot be streamed by rows: {end}")
    return Front(views, source, found, end)


def _in_bytes(pieces: list[Piece]) -> list[Piece]:
    """The first of ``pieces``, as far as each of them makes maps of bytes; of the last, the nodes up to such a map."""
    found: list[Piece] = []
    for piece in pieces:
        last = max((i for i, node in enumerate(piece.nodes) if _bytes(node.output.type)), default=-1)
        found += [Piece(piece.window, piece.nodes[: last + 1])] if last >= 0 else []
        if last + 1 < len(piece.nodes):
            break
    return found


def _bytes(type_: TensorType | None) -> bool:
    return type_ is not None and can_block(type_) and type_.dtype in BYTES


def _source(graph: Graph) -> tuple[list[Node], Value]:
    if len(graph.inputs) != 1:
        names = ", ".join(f"'{value.name}'" for value in graph.inputs)
        raise EdgeoptError(f"one input can be streamed by rows; the network has {len(graph.inputs)} ({names})")
    views: list[Node] = []
    value, turned = graph.inputs[0], False
    while not turned and len(value.uses) == 1 and _is_view(value.users[0]):
        views.append(value.users[0])
        value, turned = views[-1].output, views[-1].is_op("Transpose")
    _require_rows(graph.inputs[0], value, turned)
    return views, value


def _is_view(node: Node) -> bool:
    return node.is_op(*VIEWS) or (node.is_op("Transpose") and node.integers("perm") == CHANNELS_FIRST)


def _require_rows(given: Value, value: Value, turned: bool) -> None:
    type_ = value.type
    where = f"input '{given.name}' cannot be streamed by rows: "
    if type_ is None or not type_.static or len(type_.dims) != 4 or type_.dims[0] != 1:
        raise EdgeoptError(f"{where}it is {given.type}, and one picture [1, C, H, W] is needed")
    if type_.dtype not in BYTES:
        way = f"quantise the network (-O3 --data, --quantize w8a8), or give --input {given.name}=uint8,nhwc"
        raise EdgeoptError(f"{where}the first layers compute in {type_.dtype}, not with codes of 8 bits; {way}")
    if not turned and type_.dims[1] != 1:
        raise EdgeoptError(f"{where}its channels lie in planes; --input {given.name}=uint8,nhwc,... has them side by side")


def _end(graph: Graph, value: Value) -> str:
    """Why what reads ``value`` is no part of the front; empty where it may be."""
    if graph.is_output(value):
        return f"'{value.name}' is an output"
    if len(value.uses) != 1:
        return f"'{value.name}' is read by {len(value.uses)} layers"
    node = value.users[0]
    others = [v for v in node.inputs if v is not None and v is not value and not v.is_constant]
    if others or node.inputs[0] is not value or any(out.uses for out in node.outputs[1:]):
        return f"{node!r} joins several maps"
    type_ = node.output.type
    return "" if type_ is not None and type_.static and len(type_.dims) == 4 else f"{node!r} makes no map"


def _window(node: Node) -> Window | str:
    """What a row of the result of ``node`` is made of; in words, why it is not known."""
    find = _WINDOWS.get(node.op)
    if find is not None:
        try:
            return find(node)
        except Declined as reason:
            return f"cannot be computed by rows: {reason}"
    if node.op in UNARY and not node.domain and all(_one_for_all_rows(v) for v in node.inputs[1:]):
        return Window()
    if dtype_of(node.output) == "float32":
        return "computes in float32, not with codes of 8 bits; quantise the network (-O3 --data, --quantize w8a8)"
    return "cannot be computed by rows"


def _convolution(node: Node) -> Window:
    weight, zero = node.input(WEIGHT), node.constant(ZERO)
    if weight is None or weight.type is None or zero is None or zero.size != 1:
        raise Declined("its zero point is not one constant")
    window = plane_window(node, weight.type.dims[2:])
    return _over(window, int(zero.reshape(())) & 0xFF)


def _pool(node: Node) -> Window:
    window = plane_window(node, node.integers("kernel_shape"))
    if any(window.pads[::2]) or window.halo[2]:
        raise Declined("its windows reach above or below the map")
    return _over(window)


def _over(window: PlaneWindow, fill: int = 0) -> Window:
    extent = (window.kernel[0] - 1) * window.dilations[0] + 1
    top, left, bottom, right = window.pads
    if top >= extent:
        raise Declined("rows of its results lie above the map as a whole, before any row has come")
    return Window(extent, window.strides[0], top, bottom, fill, (left, right))


def _lookup(node: Node) -> Window:
    return Window()


def _grid(node: Node) -> Window:
    scale = node.constant(1)
    if scale is None or (scale.size != 1 and node.integer("axis", 1) not in (1, -3)) or node.integer("block_size", 0):
        raise Declined("rows have scales of their own")
    return Window()


def _sum(node: Node) -> Window:
    if not all(_one_for_all_rows(v) for v in node.inputs[1:]):
        raise Declined("rows have constants of their own")
    return Window()


def _one_for_all_rows(value: Value | None) -> bool:
    """Whether a constant is the same for all rows of a map."""
    dims = value.type.dims if value is not None and value.type is not None else ()
    return math.prod(dims) == 1 or len(dims) < 2 or dims[-2] == 1


_WINDOWS: Mapping[str, Callable[[Node], Window]] = {
    "QuantConv": _convolution,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "QuantLookup": _lookup,
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _grid),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Clip"), _sum),
}
