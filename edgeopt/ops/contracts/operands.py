"""The operands of a node as a rule sees them, and the questions that rules ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from edgeopt.ir import Array, Node, Value

Shape = tuple[int, ...]
OLDEST_OPSET = 21  # of a node outside of any graph


class Misfit(Exception):
    """An operand breaks its operator's contract; the message names the operand, what it is and what it has to be."""


class Open(Exception):
    """A rule asked for a shape or an element type that is not known before the model runs."""


@dataclass(frozen=True)
class Operands:
    """The inputs, outputs and attributes of one node; what is asked of them raises Misfit, or Open where it is unknown."""

    node: Node

    @property
    def opset(self) -> int:
        """The version of the default domain that gives the node its meaning."""
        return self.node.graph.root.opset if self.node.graph is not None else OLDEST_OPSET

    @property
    def count(self) -> int:
        """How many inputs there are, with those that are left out in between."""
        return len(self.node.inputs)

    def given(self, index: int) -> bool:
        """Whether input ``index`` is there."""
        return self.node.input(index) is not None

    def wanted(self, index: int) -> bool:
        """Whether output ``index`` is there."""
        return index < len(self.node.outputs) and self.node.outputs[index].name != ""

    def label(self, index: int) -> str:
        """What a message calls input ``index``."""
        value = self.node.input(index)
        return f"input {index} '{value.name}'" if value is not None else f"input {index}"

    def shape(self, index: int) -> Shape:
        """The shape of input ``index``, which must be there."""
        return _static(self._input(index))

    def result(self, index: int = 0) -> Shape:
        """The shape of output ``index``."""
        return _static(self.node.outputs[index])

    def dtype(self, index: int) -> str:
        """The element type of input ``index``, which must be there."""
        type_ = self._input(index).type
        if type_ is None or type_.proto is not None:
            raise Open
        return type_.dtype

    def array(self, index: int) -> Array | None:
        """The data of input ``index`` when it is a constant."""
        return self.node.constant(index)

    def numbers(self, index: int) -> list[int] | None:
        """The integers of input ``index`` when it is a constant; a vector or a single one."""
        array = self.array(index)
        return None if array is None else [int(v) for v in array.reshape(-1)]

    def need(self, holds: bool, otherwise: str) -> None:
        """Refuse the node with the sentence ``otherwise`` unless ``holds``."""
        if not holds:
            self.refuse(otherwise)

    def refuse(self, why: str) -> NoReturn:
        """Refuse the node."""
        raise Misfit(why)

    def fits(self, index: int, *allowed: Sequence[int]) -> None:
        """Input ``index`` has one of the shapes ``allowed``, unless it is left out or open."""
        if self.given(index) and _known(self._input(index)):
            shape = self.shape(index)
            wanted = " or ".join(_text(a) for a in dict.fromkeys(tuple(a) for a in allowed))
            self.need(shape in [tuple(a) for a in allowed], f"{self.label(index)} has shape {_text(shape)}, {wanted} is needed")

    def single(self, *indices: int) -> None:
        """The inputs hold one element each, unless they are left out or open."""
        for index in indices:
            if self.given(index) and _known(self._input(index)):
                shape = self.shape(index)
                good = len(shape) <= 1 and size(shape) == 1
                self.need(good, f"{self.label(index)} has shape {_text(shape)}, one number is needed")

    def vector(self, index: int, length: int | None = None) -> None:
        """Input ``index`` is a vector (of ``length`` elements), unless it is left out or open."""
        if self.given(index) and _known(self._input(index)):
            shape = self.shape(index)
            wanted = "a vector" if length is None else _text((length,))
            good = len(shape) == 1 and length in (None, shape[0])
            self.need(good, f"{self.label(index)} has shape {_text(shape)}, {wanted} is needed")

    def spreads(self, index: int, to: Sequence[int]) -> None:
        """Input ``index`` broadcasts to the shape ``to`` in one direction, unless it is left out or open."""
        if self.given(index) and _known(self._input(index)):
            shape = self.shape(index)
            padded = (1,) * (len(to) - len(shape)) + shape
            good = len(padded) == len(to) and all(a in (1, b) for a, b in zip(padded, to, strict=True))
            self.need(good, f"{self.label(index)} has shape {_text(shape)}, which does not broadcast to {_text(to)}")

    def yields(self, shape: Sequence[int], index: int = 0, *, others: Iterable[Sequence[int]] = ()) -> None:
        """Output ``index`` has ``shape`` (or one of ``others``) wherever it is known."""
        if self.wanted(index) and _known(self.node.outputs[index]):
            found, allowed = self.result(index), [tuple(shape), *(tuple(o) for o in others)]
            name = self.node.outputs[index].name
            self.need(found in allowed, f"output {index} '{name}' is declared as {_text(found)}, {_text(shape)} is computed")

    def rank(self, index: int, least: int, most: int | None = None) -> int:
        """The rank of input ``index``, which must lie between ``least`` and ``most``."""
        shape = self.shape(index)
        limit = f"at least {least}" if most is None else f"{least}" if most == least else f"{least} to {most}"
        good = least <= len(shape) and (most is None or len(shape) <= most)
        self.need(good, f"{self.label(index)} has shape {_text(shape)}, {limit} dimensions are needed")
        return len(shape)

    def axis(self, axis: int, rank: int, what: str = "axis") -> int:
        """``axis`` counted from the front; it must be within ``rank``."""
        self.need(-rank <= axis < rank, f"{what} {axis} is outside of {rank} dimensions")
        return axis % rank if rank else 0

    def axes(self, axes: Iterable[int], rank: int) -> list[int]:
        """``axes`` counted from the front, each within ``rank`` and named once."""
        given = list(axes)
        found = [self.axis(a, rank) for a in given]
        self.need(len(set(found)) == len(found), f"the axes {given} name one axis twice")
        return found

    def same_type(self, first: int, *others: int) -> None:
        """The ``others`` have the element type of input ``first``, unless they are left out."""
        for index in others:
            if self.given(index):
                good = self.dtype(index) == self.dtype(first)
                self.need(good, f"{self.label(index)} is {self.dtype(index)}, {self.label(first)} is {self.dtype(first)}")

    def typed(self, index: int, *dtypes: str) -> None:
        """Input ``index`` has one of the element types, unless it is left out."""
        if self.given(index):
            good = self.dtype(index) in dtypes
            self.need(good, f"{self.label(index)} is {self.dtype(index)}, {' or '.join(dtypes)} is needed")

    def indices(self, index: int, extent: int, array: Array | None = None) -> None:
        """Constant indices of input ``index`` lie within ``extent``, negative ones counted from the end."""
        values = self.array(index) if array is None else array
        if values is not None and values.size:
            outside = values[(values < -extent) | (values >= extent)]
            self.need(not outside.size, f"{self.label(index)} holds {_first(outside)}, outside of an axis of {extent}")

    def _input(self, index: int) -> Value:
        value = self.node.input(index)
        if value is None:
            self.refuse(f"input {index} is left out")
        return value


def size(shape: Sequence[int]) -> int:
    """The number of elements of ``shape``."""
    return int(np.prod(tuple(shape), dtype=object)) if len(shape) else 1


def broadcast(operands: Operands, indices: Iterable[int]) -> Shape:
    """The shape that the inputs broadcast to together; raises Misfit where they do not."""
    result: Shape = ()
    for index in indices:
        shape = operands.shape(index)
        rank = max(len(shape), len(result))
        one, other = ((1,) * (rank - len(s)) + s for s in (result, shape))
        good = all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
        operands.need(good, f"{operands.label(index)} has shape {_text(shape)}, which does not broadcast with {_text(result)}")
        result = tuple(b if a == 1 else a for a, b in zip(one, other, strict=True))
    return result


def _known(value: Value) -> bool:
    return value.type is not None and value.type.static


def _static(value: Value) -> Shape:
    if value.type is None or not value.type.static:
        raise Open
    return value.type.dims


def _text(shape: Sequence[int]) -> str:
    return f"[{','.join(str(d) for d in shape)}]"


def _first(values: Array) -> int:
    return int(values.reshape(-1)[0]) if values.size else 0
