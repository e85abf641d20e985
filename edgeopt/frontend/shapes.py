"""Binds the symbolic dimensions of the inputs, so that every shape is known before compilation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph, TensorType, Value
from edgeopt.ir.types import Dim

Bindings = dict[str, int]
ANONYMOUS = ("?", "None", "", "unk", "-1")  # what exporters write for a dimension without a name: each is one of its own


def bind_shapes(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give every tensor input of ``graph`` a static shape.

    Explicit ``shapes`` come first; a symbol bound in one place is bound everywhere; a leading dimension that is still open
    becomes 1, with a note. Raises EdgeoptError that names the input and the dimension when another one is open, when a
    shape contradicts the model, and when ``shapes`` names no input.
    """
    inputs = {value.name: value for value in graph.inputs}
    unknown = sorted(set(shapes) - set(inputs))
    if unknown:
        raise EdgeoptError(f"there is no input '{unknown[0]}' to give a shape; the inputs are {sorted(inputs)}")
    for inner in graph.walk():
        for value in [*inner.inputs, *(out for node in inner.nodes for out in node.outputs)]:
            _forget_anonymous(value)
    bindings: Bindings = {}
    origins: dict[str, str] = {}
    for name, shape in shapes.items():
        _bind_explicit(inputs[name], tuple(shape), bindings, origins)
    for value in graph.inputs:
        _bind_leading(graph, value, bindings)
    for value in graph.inputs:
        _substitute(value, bindings)
        _require_static(value)
    for inner in graph.walk():
        for value in [*inner.inputs, *(out for node in inner.nodes for out in node.outputs)]:
            _substitute(value, bindings)


def _forget_anonymous(value: Value) -> None:
    type_ = value.type
    if type_ is not None and type_.shape is not None and any(d in ANONYMOUS for d in type_.shape if isinstance(d, str)):
        value.type = TensorType(type_.dtype, tuple(None if isinstance(d, str) and d in ANONYMOUS else d for d in type_.shape))


def _bind_explicit(value: Value, shape: tuple[int, ...], bindings: Bindings, origins: dict[str, str]) -> None:
    type_ = value.type
    if type_ is None or type_.proto is not None:
        raise EdgeoptError(f"input '{value.name}' is not a tensor, so it has no shape to give")
    declared: tuple[Dim, ...] = type_.shape if type_.shape is not None else (None,) * len(shape)
    given = ",".join(str(d) for d in shape)
    if len(declared) != len(shape):
        raise EdgeoptError(f"input '{value.name}' has {len(declared)} dimensions, the shape {given} has {len(shape)}")
    for index, (old, new) in enumerate(zip(declared, shape, strict=True)):
        if isinstance(new, bool) or not isinstance(new, int) or new < 1:
            raise EdgeoptError(f"input '{value.name}', dimension {index}: {new!r} is not a positive whole number")
        known = bindings.setdefault(old, new) if isinstance(old, str) else old
        here = f"input '{value.name}', dimension {index}"
        there = origins.setdefault(old, here) if isinstance(old, str) else here
        if known is not None and known != new and isinstance(old, str):
            raise EdgeoptError(f"{there} and {here} are both '{old}' in the model; the shapes say {known} and {new}")
        if known is not None and known != new:
            raise EdgeoptError(f"{here} is {known} in the model, the shape says {new}")
    value.type = TensorType(type_.dtype, shape)


def _bind_leading(graph: Graph, value: Value, bindings: Bindings) -> None:
    _substitute(value, bindings)
    type_ = value.type
    if type_ is None or not type_.shape or isinstance(type_.shape[0], int):
        return
    symbol = type_.shape[0]
    if symbol is not None:
        bindings[symbol] = 1
    value.type = TensorType(type_.dtype, (1, *type_.shape[1:]))
    add_note(graph, f"input '{value.name}': open batch dimension{f' {symbol!r}' if symbol else ''} set to 1")


def _substitute(value: Value, bindings: Bindings) -> None:
    type_ = value.type
    if type_ is not None and type_.shape is not None and any(d in bindings for d in type_.shape):
        value.type = TensorType(type_.dtype, tuple(bindings.get(d, d) if isinstance(d, str) else d for d in type_.shape))


def _require_static(value: Value) -> None:
    type_ = value.type
    if type_ is None:
        raise EdgeoptError(f"input '{value.name}' has no type; export the model with typed inputs")
    if type_.proto is not None or type_.static:
        return
    if type_.shape is None:
        raise EdgeoptError(f"input '{value.name}' has no shape in the model; give one, as in --shape {value.name}=1,3,224,224")
    index, dim = next((i, d) for i, d in enumerate(type_.shape) if not isinstance(d, int))
    symbol = f" ('{dim}')" if isinstance(dim, str) else ""
    example = ",".join("N" if not isinstance(d, int) else str(d) for d in type_.shape)
    raise EdgeoptError(f"input '{value.name}', dimension {index}{symbol} is open; bind it with --shape {value.name}={example}")
