"""Random well-typed graphs: branches, shared weights, several outputs, broadcasting, odd shapes, an integer detour.

A ``Draft`` grows a graph by choices that come either from hypothesis (``drafts``) or from a seed (``seeded``), so that the
same builders serve property tests and golden texts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st

from edgeopt.ir import OWN_DOMAIN, Array, Graph, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops import infer

T = TypeVar("T")
UNARY = ("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "LeakyRelu", "HardSigmoid", "Softsign")
BINARY = ("Add", "Sub", "Mul")
LARGEST = 4096
OPSETS = (13, 17, 21)


class Choice(Protocol):
    """Where the choices of a draft come from."""

    def integer(self, low: int, high: int) -> int: ...

    def pick(self, options: Sequence[T]) -> T: ...


class Seeded:
    """Choices from a pseudo-random generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(list(options))


class Drawn:
    """Choices from hypothesis, which shrinks them."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(list(options)))


class Draft:
    """A graph under construction; ``made`` holds every computed value in order."""

    def __init__(self, choice: Choice, opset: int = 13) -> None:
        self.choice = choice
        self.graph = Graph(name="draft", opsets={"": opset, OWN_DOMAIN: 1})
        self.made: list[Value] = []

    def input(self, shape: Sequence[int], dtype: str = "float32") -> Value:
        """A new graph input."""
        value = Value(self.graph.fresh("x"), TensorType(dtype, tuple(shape)))
        self.graph.inputs.append(value)
        return value

    def image(self) -> Value:
        """A new graph input [N, C, H, W] of odd small sizes."""
        sizes = [self.choice.integer(low, high) for low, high in ((1, 2), (2, 5), (4, 7), (4, 7))]
        return self.input(sizes)

    def constant(self, array: Array | Sequence[int] | float, dtype: str = "float32") -> Value:
        """A constant of given data."""
        return self.graph.constant("c", np.asarray(array, dtype))

    def weight(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Value:
        """A constant of random data."""
        generator = np.random.default_rng(self.choice.integer(0, 999))
        return self.constant(generator.uniform(low, high, shape))

    def op(self, op: str, *inputs: Value | None, outputs: int = 1, domain: str = "", **attributes: Any) -> Value:
        """Append a node, typed by inference; returns its first output."""
        node = self.graph.make(op, inputs, [None] * outputs, domain=domain, attributes=attributes)
        for value, type_ in zip(node.outputs, infer(node), strict=True):
            value.type = type_
        self.made += node.outputs
        return node.output

    def own(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """Append a node of ``ai.edgeopt``."""
        return self.op(op, *inputs, domain=OWN_DOMAIN, **attributes)

    def conv(self, x: Value, own: bool = True, pad: int | None = None, bias: bool = True, group: int = 1) -> Value:
        """A convolution of ``x`` with random weights, as FusedConv or Conv."""
        channels, size = _dims(x)[1], self.choice.integer(1, 3)
        width = self.choice.integer(1, 3) * group
        pads = (self.choice.integer(0, size - 1) if pad is None else pad,) * 4
        constants = [self.weight(width, channels // group, size, size), *([self.weight(width)] if bias else [])]
        attributes: dict[str, Any] = {"kernel_shape": (size, size), "pads": pads, "group": group}
        return self.own("FusedConv", x, *constants, **attributes) if own else self.op("Conv", x, *constants, **attributes)

    def ints(self, *numbers: int) -> Value:
        """A constant list of int64."""
        return self.constant(numbers, "int64")


def _dims(value: Value) -> tuple[int, ...]:
    shape = shape_of(value)
    assert shape is not None, f"'{value.name}' has no static shape"
    return shape


def _unary(draft: Draft, x: Value) -> Value:
    return draft.op(draft.choice.pick(UNARY), x)


def _binary(draft: Draft, x: Value) -> Value:
    partners = [v for v in draft.made if v.type == x.type]
    other = draft.choice.pick([*partners, None])
    if other is None:
        shape = draft.choice.pick([(), _dims(x), _dims(x)[-1:], (*_dims(x)[:1], *[1] * (len(_dims(x)) - 1))])
        other = draft.weight(*shape)
    inputs = [x, other] if draft.choice.integer(0, 1) else [other, x]
    return draft.op(draft.choice.pick(BINARY), *inputs)


def _transpose(draft: Draft, x: Value) -> Value:
    axes, perm = list(range(len(_dims(x)))), []
    while axes:
        perm.append(axes.pop(draft.choice.integer(0, len(axes) - 1)))
    return draft.op("Transpose", x, perm=tuple(perm))


def _convolution(draft: Draft, x: Value) -> Value:
    shape = _dims(x)
    if len(shape) != 4 or min(shape[2:]) < 3:
        return _unary(draft, x)
    return draft.conv(x, own=False, bias=bool(draft.choice.integer(0, 1)), group=draft.choice.pick([1, shape[1]]))


def _pool(draft: Draft, x: Value) -> Value:
    shape = _dims(x)
    if len(shape) != 4 or min(shape[2:]) < 2:
        return _unary(draft, x)
    name = draft.choice.pick(["MaxPool", "AveragePool", "GlobalAveragePool"])
    return draft.op(name, x) if name[0] == "G" else draft.op(name, x, kernel_shape=(2, 2), pads=(0, 1, 1, 0))


def _matmul(draft: Draft, x: Value) -> Value:
    shape = _dims(x)
    return draft.op("MatMul", x, draft.weight(shape[-1], draft.choice.integer(1, 4))) if len(shape) > 1 else _unary(draft, x)


def _flatten(draft: Draft, x: Value) -> Value:
    return draft.op("Flatten", x, axis=draft.choice.integer(0, len(_dims(x))))


def _concat(draft: Draft, x: Value) -> Value:
    axis = draft.choice.integer(0, len(_dims(x)) - 1)
    partners = [v for v in draft.made if v.type == x.type] or [x]
    return draft.op("Concat", x, draft.choice.pick(partners), axis=axis)


def _slice(draft: Draft, x: Value) -> Value:
    axis = draft.choice.integer(0, len(_dims(x)) - 1)
    start = draft.choice.integer(0, _dims(x)[axis] - 1)
    return draft.op("Slice", x, draft.ints(start), draft.ints(2**31), draft.ints(axis), draft.ints(1))


def _pad(draft: Draft, x: Value) -> Value:
    pads = [draft.choice.integer(0, 1) for _ in range(2 * len(_dims(x)))]
    return draft.op("Pad", x, draft.ints(*pads), draft.constant(0.0))


def _reduce(draft: Draft, x: Value) -> Value:
    return draft.op("ReduceMax", x, axes=(draft.choice.integer(0, len(_dims(x)) - 1),)) if draft.graph.opset < 18 else x


def _softmax(draft: Draft, x: Value) -> Value:
    return draft.op("Softmax", x, axis=draft.choice.integer(0, len(_dims(x)) - 1))


def _integers(draft: Draft, x: Value) -> Value:
    whole = draft.op("Cast", draft.op("Mul", x, draft.constant(9.0)), to=6)
    op = draft.choice.pick(["Add", "Sub", "Mul", "Div"])
    return draft.op("Cast", draft.op(op, whole, draft.constant(draft.choice.integer(1, 4), "int32")), to=1)


STEPS: tuple[Callable[[Draft, Value], Value], ...] = (
    _unary, _binary, _transpose, _convolution, _pool, _matmul, _flatten, _concat, _slice, _pad, _reduce, _softmax, _integers,
)  # fmt: skip


def grow(draft: Draft, steps: int) -> None:
    """Append ``steps`` random operators, each on a random computed value or input."""
    for _ in range(steps):
        pool = [v for v in [*draft.graph.inputs, *draft.made] if _suits(v)]
        if pool:
            draft.choice.pick(STEPS)(draft, draft.choice.pick(pool))


def _suits(value: Value) -> bool:
    shape = shape_of(value)
    return dtype_of(value) == "float32" and bool(shape) and 0 < math.prod(shape or ()) <= LARGEST


def finish(draft: Draft, leaks: int) -> Graph:
    """Make outputs of all values nobody reads, and of up to ``leaks`` inner ones."""
    graph = draft.graph
    if not draft.made:
        draft.op("Relu", draft.image())
    ends = [v for v in draft.made if not v.uses]
    inner = [draft.choice.pick(draft.made) for _ in range(leaks)]
    graph.outputs = list(dict.fromkeys([*ends, *inner]))
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A random graph of up to twelve operators."""
    choice = Drawn(draw)
    draft = Draft(choice, choice.pick(OPSETS))
    draft.image()
    grow(draft, choice.integer(1, 12))
    return finish(draft, choice.integer(0, 2))
