"""What a kernel is to the rest of the compiler: a function on raw pointers, its operands and its parallel extent.

A kernel function has the signature ``kernel(pointer, ..., begin, end, constant, ...)``: one pointer per operand, the half
open range of chunks it has to compute, then the constants of the call. The driver calls it with literal constants and LLVM
specialises the inlined body, so one function serves all shapes; a factory may also build a function per shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from edgeopt.coding.block import Transform
from edgeopt.ir import Array, Node, TensorType
from edgeopt.target import Target


class Declined(Exception):
    """A kernel cannot serve a site; the message is the reason, for ``--explain`` and for errors that list nodes."""


@dataclass(frozen=True)
class Layout:
    """How a tensor lies in memory: plain (row major, ``block`` 0) or channel blocked with a halo.

    The blocked address of element n, c, h, w of a tensor N, C, H, W is
    ``(((n * ceil(C / B) + c // B) * (top + H + bottom) + top + h) * (left + W + right) + left + w) * B + c % B``.
    The halo holds ``fill`` (a zero point for integers). Lanes beyond C in the last block hold finite values that consumers
    multiply by zero weights.
    """

    block: int = 0
    halo: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: int = 0


PLAIN = Layout()


@dataclass(frozen=True)
class Tensor:
    """An operand as a kernel sees it: type, layout, and its data when it is a constant."""

    type: TensorType
    layout: Layout = PLAIN
    array: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The static shape."""
        return self.type.dims

    @property
    def elements(self) -> int:
        """Elements of storage, halo and unused lanes included."""
        if not self.layout.block:
            return _product(self.shape)
        return self.shape[0] * self.blocks * self.plane * self.layout.block

    @property
    def blocks(self) -> int:
        """Channel blocks of a blocked tensor."""
        return -(-self.shape[1] // self.layout.block)

    @property
    def row(self) -> int:
        """Positions in a row of a blocked tensor, halo included."""
        return self.shape[3] + self.layout.halo[1] + self.layout.halo[3]

    @property
    def plane(self) -> int:
        """Positions in a plane of a blocked tensor, halo included."""
        return (self.shape[2] + self.layout.halo[0] + self.layout.halo[2]) * self.row

    @property
    def origin(self) -> int:
        """Position of element h = w = 0 within a plane of a blocked tensor."""
        return self.layout.halo[0] * self.row + self.layout.halo[1]


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for dim in shape:
        total *= dim
    return total


@dataclass(frozen=True)
class Site:
    """A node to lower: its operands with their layouts, and the target.

    ``choice`` is one of the kernel's ``choices``, in numbers that only the kernel understands; empty, its rule decides.
    """

    node: Node
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    target: Target
    choice: tuple[int, ...] = ()

    def given(self, index: int) -> Tensor:
        """Input ``index``. Raises Declined when it is left out."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise Declined(f"input {index} is missing")
        return tensor

    def optional(self, index: int) -> Tensor | None:
        """Input ``index`` or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> Array:
        """The data of input ``index``. Raises Declined when it is not a constant."""
        array = self.given(index).array
        if array is None:
            raise Declined(f"input {index} is not a constant")
        return array


@dataclass(frozen=True)
class Input:
    """Operand: input ``index`` of the node."""

    index: int


@dataclass(frozen=True)
class Output:
    """Operand: output ``index`` of the node."""

    index: int = 0


@dataclass(frozen=True)
class Packing:
    """``pack(array, *how)`` as a function of the array alone; equal to others that do the same."""

    pack: Callable[..., Array]
    how: tuple[Any, ...] = ()

    def __call__(self, array: Array) -> Array:
        """The elements of ``array`` as a kernel reads them."""
        return self.pack(array, *self.how)


@dataclass(frozen=True, eq=False)
class Origin:
    """What packed data is made of: ``source``, a constant of the node or a view of one, by ``pack``, which moves its elements and

    fills up with zeros, whatever their type; or by a ``transform`` that the loader knows. A file then holds the weights once.
    """

    source: Array
    pack: Callable[[Array], Array] | None = None
    transform: Transform | None = None

    @property
    def made_again(self) -> bool:
        """Whether the packed data can be made of ``source`` once more, to the same bytes."""
        return self.transform is not None or isinstance(self.pack, Packing)


@dataclass(frozen=True, eq=False)
class Packed:
    """Operand: data made at compile time (weights in the order the kernel reads them). Shared when the bytes are equal.

    Large weights say their ``origin``; others are kept beside the model's own.
    """

    array: Array
    origin: Origin | None = None

    @staticmethod
    def moved(source: Array, pack: Callable[..., Array], *how: Any) -> Packed:
        """The elements of ``source`` as ``pack(source, *how)`` arranges them; ``how`` can be hashed."""
        return Packed(pack(source, *how), Origin(source, Packing(pack, how)))

    @staticmethod
    def transformed(source: Array, transform: Transform, shape: tuple[int, ...]) -> Packed:
        """What ``transform`` makes of ``source``, float32 of ``shape``: where it is read, since it is several times as large."""
        return Packed(np.broadcast_to(np.float32(0), shape), Origin(source, transform=transform))


@dataclass(frozen=True)
class Temporary:
    """Operand: scratch memory for ``size`` elements of ``dtype``.

    ``name`` lets several calls of one node share it; ``per_thread`` gives each thread its own.
    """

    name: str
    size: int
    per_thread: bool = False
    dtype: str = "float32"


Operand = Input | Output | Packed | Temporary


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One call of a kernel function. ``chunks`` is the extent over which threads share the work.

    Whether two functions are the same code is found from the functions themselves (``edgeopt.codegen.identity``).
    ``overlaps`` are inputs of the node that the result may be written over on one thread, each with the bytes by which it has to
    begin before that input.
    """

    function: Callable[..., None]
    operands: tuple[Operand, ...]
    constants: tuple[int | float, ...] = ()
    chunks: int = 1
    label: str = ""
    overlaps: tuple[tuple[int, int], ...] = ()

    @property
    def full_name(self) -> str:
        """What reports call the kernel: the module and the function, unless it has a label."""
        return self.label or f"{self.function.__module__.rsplit('.', 1)[-1]}.{self.function.__name__}"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A product made ready for a site: its call with operands by role, for kernels that are built on it.

    Roles, in the order of the function's pointers, are ``x``, ``weights``, ``bias`` (or ``numbers``, where a block of numbers for
    each group of channels holds it), ``residual``, ``y`` and temporaries. ``per`` chunks after each other use one panel of
    weights. ``before`` are calls that come first. ``form`` is what the kernel knows besides (its walk, its plan).
    """

    function: Callable[..., None]
    operands: Mapping[str, Operand]
    chunks: int
    per: int = 1
    before: tuple[KernelCall, ...] = ()
    form: object = None

    def packed(self, role: str) -> Array:
        """What is packed for ``role``. Raises Declined when that is no packed data."""
        operand = self.operands.get(role)
        if not isinstance(operand, Packed):
            raise Declined(f"its kernel packs no {role}")
        return operand.array

    def call(self, **given: Operand) -> KernelCall:
        """The call, with the operands of some roles replaced."""
        return KernelCall(self.function, tuple({**self.operands, **given}.values()), (), self.chunks)

    def calls(self) -> tuple[KernelCall, ...]:
        """Everything that serves the site."""
        return (*self.before, self.call())


Select = Callable[[Site], tuple[KernelCall, ...]]
Prepare = Callable[[Site], Prepared]
Choices = Callable[[Site], list[tuple[int, ...]]]


@dataclass(frozen=True)
class Kernel:
    """An entry of the kernel table: the calls for a site, or Declined.

    ``layout`` is what the kernel's activations lie in: ``plain``, ``blocked``, or ``stem`` (plain in, blocked out).
    ``hot`` kernels pull their operands into the blocked layout; the others follow their first input.
    ``halo`` says how much border (top, left, bottom, right) a blocked input needs, ``fill`` what the border holds.
    ``choices`` lists what may be tried besides the rule's own choice; kernels that have it compete by measurement.
    ``level`` is the optimisation level from which the kernel is used: 2 where its rounding is gated by measurement.
    ``by_definition`` kernels compute products of any form, far below the rate of the processor; a node left to one is noted
    with the reasons of the others.
    ``last``: it reads maps of bytes that lie channels last, ``only`` such or ``also``; others never meet them.
    """

    name: str
    ops: tuple[str, ...]
    select: Select
    layout: str = "plain"
    hot: bool = False
    halo: Callable[[Node], tuple[int, int, int, int]] = field(default=lambda node: (0, 0, 0, 0))
    fill: Callable[[Node], int] = field(default=lambda node: 0)
    choices: Choices | None = None
    level: int = 0
    by_definition: bool = False
    last: Literal["", "also", "only"] = ""
