"""Inputs that are settings: given at compile time, they become constants, and what depends on them folds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Graph, TensorType, Value, numpy_dtype


def bind_inputs(graph: Graph, settings: Mapping[str, ArrayLike]) -> None:
    """Replace inputs of ``graph`` by constants, as in ``{"sr": 16000}``, and note it.

    Raises EdgeoptError for a name that is no input, and a value that its type and shape do not hold.
    """
    inputs = {value.name: value for value in graph.inputs}
    for name, given in settings.items():
        if name not in inputs:
            raise EdgeoptError(f"there is no input '{name}' to bind; the inputs are {', '.join(inputs) or 'none'}")
        value = inputs[name]
        array = _array(value, given)
        graph.inputs.remove(value)
        graph.replace(value, graph.constant(name, array, value.type.dtype if value.type is not None else None))
        add_note(graph, f"input '{name}' is bound to {np.array2string(array, threshold=8, separator=', ')}")


def _array(value: Value, given: ArrayLike) -> Array:
    type_ = value.type
    if type_ is None or type_.proto is not None or type_.dtype == "string":
        raise EdgeoptError(f"input '{value.name}' is no tensor of numbers and cannot be bound")
    array, dtype = np.asarray(given), numpy_dtype(type_.dtype)
    if array.dtype.kind not in "biuf":
        raise EdgeoptError(f"input '{value.name}' is bound to {given!r}: expected are numbers")
    made = array.astype(dtype)
    if not np.array_equal(made.astype(np.float64), array.astype(np.float64), equal_nan=True) and dtype.kind != "f":
        raise EdgeoptError(f"input '{value.name}' is {type_.dtype}, which does not hold {given!r}")
    return _shaped(value, type_, made)


def _shaped(value: Value, type_: TensorType, array: Array) -> Array:
    """A single number fills a shape of one element; anything else has the declared shape."""
    shape = type_.shape
    if shape is None:
        return array
    if array.ndim == 0 and all(d == 1 or not isinstance(d, int) for d in shape):
        return array.reshape((1,) * len(shape))
    if len(shape) != array.ndim or any(isinstance(d, int) and d != n for d, n in zip(shape, array.shape, strict=True)):
        raise EdgeoptError(f"input '{value.name}' has shape {list(shape)}; it is bound to numbers of shape {list(array.shape)}")
    return array
