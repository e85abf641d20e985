"""What a server offers: a named computation with typed inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.tensors import WireError, type_name

JSON_LIMIT = 1 << 20  # bytes of a message besides its tensors
TEXT = 24  # bytes of a number in JSON, at most


@dataclass(frozen=True)
class Signature:
    """A tensor that goes in or comes out; a leading axis of a multiple of ``shape[0]`` holds several batches.

    With ``most`` it is a message instead, a vector of 1 to so many bytes, whose shape is (-1,).
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    most: int = 0

    def described(self) -> dict[str, object]:
        """As the protocol's metadata lists it."""
        return {"name": self.name, "datatype": type_name(self.dtype), "shape": list(self.shape)}

    @property
    def nbytes(self) -> int:
        """Bytes of one batch, or the most of a message."""
        return self.most or int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Served(Protocol):
    """A model as servers see it. ``run`` may raise EdgeoptError; ``deadline`` is a moment of ``time.monotonic``, or none."""

    @property
    def inputs(self) -> Sequence[Signature]: ...

    @property
    def outputs(self) -> Sequence[Signature]: ...

    def run(self, inputs: Mapping[str, Array], deadline: float | None) -> dict[str, Array]: ...


class ServedModel:
    """A compiled model. Raises EdgeoptError for one with inputs that are no tensors."""

    def __init__(self, model: CompiledModel, threads: int = 1) -> None:
        if not all(port.placed for port in (*model.inputs, *model.outputs)):
            raise EdgeoptError("a model whose shapes are decided by its data, or with sequences, cannot be served")
        self._model, self._threads = model, threads
        warm(model)
        self.inputs: Sequence[Signature] = [Signature(port.name, port.dtype, port.shape) for port in model.inputs]
        self.outputs: Sequence[Signature] = [Signature(port.name, port.dtype, port.shape) for port in model.outputs]

    def run(self, inputs: Mapping[str, Array], deadline: float | None) -> dict[str, Array]:
        """The outputs by name."""
        return self._model.run(inputs, self._threads)


def largest_request(models: Iterable[Served], batches: int) -> int:
    """The most bytes of a request for one of ``models``: its inputs as numbers in JSON, in the largest batch, or as messages."""
    sizes = (sum(port.most or batches * (port.nbytes // port.dtype.itemsize) * TEXT for port in m.inputs) for m in models)
    return JSON_LIMIT + max(sizes, default=0)


def warm(model: CompiledModel) -> None:
    """Load the code of ``model`` by a run on zeros, so that the first request takes no longer than others."""
    with suppress(EdgeoptError):  # a model that zeros do not suit
        model.run({port.name: np.zeros(port.shape, port.dtype) for port in model.inputs})


def require_fits(found: Mapping[str, Array], wanted: Sequence[Signature], batches: int) -> None:
    """Raise WireError unless ``found`` are the tensors ``wanted``, of 1 to ``batches`` batches, the same number in each."""
    if found.keys() != {port.name for port in wanted}:
        raise WireError(f"the tensors are {sorted(found)}, wanted are {sorted(port.name for port in wanted)}")
    for port in wanted:
        array = found[port.name]
        if port.most:
            if array.dtype != np.uint8 or array.ndim != 1 or not 1 <= len(array) <= port.most:
                wanted_bytes = f"a message of 1 to {port.most} bytes"
                raise WireError(f"'{port.name}' is {array.dtype}{list(array.shape)}, wanted is {wanted_bytes}")
            continue
        counts = {array.shape[0] // port.shape[0]} if port.shape and port.shape[0] and array.shape else {1}
        whole = (next(iter(counts)) * port.shape[0], *port.shape[1:]) if port.shape else ()
        if array.dtype != port.dtype or array.shape != whole or not 1 <= min(counts) <= batches:
            raise WireError(f"'{port.name}' is {array.dtype}{list(array.shape)}, wanted is {port.dtype}{list(port.shape)}")
