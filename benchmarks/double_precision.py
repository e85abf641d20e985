"""A float model in double precision, by the reference implementation of its operators: what engines in single precision miss.

Weights and attributes are the numbers of the file, which doubles hold exactly.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.transposed import axes_of, inner, mirrored, spread
from edgeopt.ir import Array, Node
from edgeopt.ops.evaluation import CORRECTED

SINGLE, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE


def evaluated(path: Path, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs of the model for ``inputs``. Raises EdgeoptError when a value is computed in single precision all the same."""
    model = doubled(onnx.load(path))
    own: list[type[OpRun]] = [Conv, ConvTranspose, Gelu, *(op for op in CORRECTED if op.__name__ != "ConvTranspose")]
    feed = {name: array.astype(np.float64) if array.dtype == np.float32 else array for name, array in inputs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = ReferenceEvaluator(model, new_ops=own).run(None, feed, intermediate=True)
    single = [name for name, array in found.items() if getattr(array, "dtype", None) == np.float32]
    if single:
        raise EdgeoptError(f"{path.name}: '{single[0]}' is not computed in double precision")
    return [np.asarray(found[output.name]) for output in model.graph.output]


def doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every float32 tensor as float64."""
    graphs = list(_graphs(model.graph))
    for graph in graphs:
        del graph.value_info[:]
        for info in (*graph.input, *graph.output):
            if info.type.tensor_type.elem_type == SINGLE:
                info.type.tensor_type.elem_type = DOUBLE
        for tensor in graph.initializer:
            _widen(tensor)
    for node in (n for nodes in (*(g.node for g in graphs), *(f.node for f in model.functions)) for n in nodes):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen(attribute.t)
            if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                number = attribute.f if attribute.name == "value_float" else list(attribute.floats)
                attribute.CopyFrom(onnx.helper.make_attribute("value", numpy_helper.from_array(np.array(number, np.float64))))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == SINGLE:
                attribute.i = DOUBLE
    return model


def _graphs(graph: onnx.GraphProto) -> Iterable[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type == SINGLE:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def convolved(x: Array, w: Array, b: Array | None, attributes: Mapping[str, Any]) -> Array:
    """A convolution tap by tap, one matrix product each: the reference's own takes minutes for a network."""
    rank, group = w.ndim - 2, attributes.get("group") or 1
    strides, dilations = (attributes.get(name) or (1,) * rank for name in ("strides", "dilations"))
    x = np.pad(x, [(0, 0), (0, 0), *_pads(attributes, x.shape[2:], w.shape[2:], strides, dilations)])
    axes = zip(x.shape[2:], w.shape[2:], strides, dilations, strict=True)
    sizes = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in axes]
    y = np.zeros((len(x), group, len(w) // group, math.prod(sizes)), x.dtype)
    for tap in product(*map(range, w.shape[2:])):
        firsts = [k * d for k, d in zip(tap, dilations, strict=True)]
        places = [slice(f, f + (n - 1) * s + 1, s) for f, n, s in zip(firsts, sizes, strides, strict=True)]
        taken = x[inner(places)].reshape(len(x), group, x.shape[1] // group, -1)
        y += np.matmul(w[inner(tap)].reshape(group, len(w) // group, -1), taken)
    made = y.reshape(len(x), len(w), *sizes)
    return made if b is None else made + b.reshape(-1, *[1] * rank)


class Conv(OpRun):
    """Convolution over any number of axes."""

    def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> tuple[Array, ...]:
        return (convolved(x, w, b, attributes),)


class ConvTranspose(OpRun):
    """As the convolution of the map with zeros between its pixels."""

    def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> tuple[Array, ...]:
        group = attributes.get("group") or 1
        node = Node("ConvTranspose", [], [], {k: v for k, v in attributes.items() if v is not None})
        if axes_of(node, x.shape[2:], w.shape[2:]) is None:
            raise EdgeoptError("a transposed convolution whose padding follows from its result is not evaluated here")
        kept = {"dilations": attributes.get("dilations"), "group": group}
        return (convolved(spread(node, x, w.shape[2:]), mirrored(w, group), b, kept),)


def _pads(
    attributes: Mapping[str, Any], sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """The pads before and behind each axis, also where ``auto_pad`` says them."""
    mode, rank = attributes.get("auto_pad") or "NOTSET", len(kernel)
    if mode in ("NOTSET", "VALID"):
        pads = (attributes.get("pads") if mode == "NOTSET" else None) or [0] * 2 * rank
        return list(zip(pads[:rank], pads[rank:], strict=True))
    axes = zip(sizes, kernel, strides, dilations, strict=True)
    totals = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in axes]
    return [(t // 2, t - t // 2) if mode == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]


class Gelu(OpRun):
    """By the error function in double precision; the reference's constants are single."""

    def _run(self, x: Array, approximate: str | None = None) -> tuple[Array, ...]:
        if approximate == "tanh":
            return (0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),)
        return (0.5 * x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))),)
