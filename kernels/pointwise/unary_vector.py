"""Activations with an exponential or an error function, of plain float32 tensors, by the vector emitter.

LLVM vectorises the formulas of ``unary`` too, but three times slower: it keeps every special case of ``emit.math``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

OPS = ("Sigmoid", "Tanh", "Silu", "Swish", "Gelu", "Erf")
CRUMB = 4096  # elements of a chunk


def activation(node: Node) -> Activation:
    """The vector function of a node of ``OPS``. Raises Declined for a Swish with a factor."""
    if node.op == "Swish" and node.real("alpha", 1.0) != 1.0:
        raise Declined("its alpha is not 1")
    if node.op == "Gelu" and node.text("approximate", "none") == "tanh":
        return Activation("GeluTanh")
    return Activation("Silu" if node.op == "Swish" else node.op)


def whole_vectors(target: Target, function: Activation) -> Any:
    """``function`` of ``count`` vectors after each other, as a function (x, y, count); count is at least one."""

    def emit(e: Emitter, x: Value, y: Value, count: Value) -> None:
        def body(index: Value) -> list[Value]:
            at = e.builder.mul(index, integer(e.lanes))
            e.store(function.apply(e, e.load(e.at(x, at))), e.at(y, at))
            return []

        e.loop(count, [], body)

    return vector_function(target, 3, emit)


def _tail(target: Target, function: Activation, lanes: int) -> Any:
    def emit(e: Emitter, x: Value, y: Value) -> None:
        e.store_first(function.apply(e, e.load_first(x, lanes)), y, lanes)

    return vector_function(target, 2, emit)


def _function(target: Target, function: Activation, elements: int) -> Callable[..., None]:
    lanes = target.lanes
    whole, tail = divmod(elements, lanes)
    run = CRUMB // lanes
    vectors, rest = whole_vectors(target, function), _tail(target, function, tail or lanes)

    def apply(x: Any, y: Any, begin: Any, end: Any) -> None:
        first, last = begin * run, min(end * run, whole)
        if last > first:
            vectors(offset(x, first * lanes), offset(y, first * lanes), last - first)
        if tail and end * run > whole:
            rest(offset(x, whole * lanes), offset(y, whole * lanes))

    return apply


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, function = site.given(0), activation(site.node)
    static(x)
    require(x, "float32")
    made = _function(site.target, function, x.elements)
    return (KernelCall(made, (Input(0), Output()), (), x.elements // CRUMB + 1),)


KERNEL = Kernel("unary_vector", OPS, _select)
