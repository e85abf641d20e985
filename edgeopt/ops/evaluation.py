"""Runs one node without a subgraph: own operators by their body, the rest by ``onnx.reference``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper
from onnx.reference import ReferenceEvaluator

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Node, TensorType
from edgeopt.ops.proto import ProtoWriter
from edgeopt.ops.reference_convolution import ConvTranspose
from edgeopt.ops.reference_normalization import LRN, LpNormalization
from edgeopt.ops.reference_pad import Pad
from edgeopt.ops.reference_pooling import AveragePool, GlobalMaxPool, MaxPool
from edgeopt.ops.reference_recurrent import GRU, LSTM, RNN
from edgeopt.ops.reference_resize import Resize
from edgeopt.ops.reference_sampling import GridSample, RoiAlign
from edgeopt.ops.table import OWN_OPS, own_body
from edgeopt.ops.tensors import array_type, value_info

REFERENCE_IR_VERSION = 10
CORRECTED = (
    *(AveragePool, ConvTranspose, GlobalMaxPool, GridSample, GRU, LRN, LSTM, LpNormalization, MaxPool, Pad),
    *(Resize, RNN, RoiAlign),
)
# Operators whose older versions onnx.reference lacks or gets wrong, with a newer version that means the same on older inputs.
NEWER = {"BatchNormalization": 15, "DequantizeLinear": 19}


def evaluate(node: Node, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of ``node`` that have a name; it has no subgraph. ``inputs`` holds None where an optional one is left out.

    Evaluators are kept by the signature of the node, and arrays are fed as they are. Raises EdgeoptError that names the node
    when the operator is unknown or fails on these inputs.
    """
    try:
        evaluator = _evaluator(_signature(node, inputs))
        feed = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = evaluator.run(None, feed)
    except Exception as error:  # whatever the reference implementation of one operator raises
        raise EdgeoptError(f"{node!r} cannot be evaluated by the reference implementation: {_reason(error)}") from error
    return [_as_array(result) for result in results]


def _as_array(result: Any) -> Any:
    """Numpy scalars become arrays; sequences and absent optional values stay as they are."""
    return result if result is None or isinstance(result, (list, dict)) else np.asarray(result)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _signature(node: Node, inputs: Sequence[Array | None]) -> bytes:
    """A model of this node alone, serialised: equal nodes on inputs of equal types share one evaluator."""
    opsets = dict(node.graph.root.opsets) if node.graph is not None else {"": 21}
    opsets[""] = max(opsets[""], NEWER.get(node.op, 0) if not node.domain else 0)
    types = [_open_type(array) for array in inputs]
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    outputs = [f"y{i}" if out.name else "" for i, out in enumerate(node.outputs)]
    if node.domain and node.op in OWN_OPS and node.is_own(node.op):
        nodes = own_body(node, opsets[""]).nodes
        opsets[""] = max(opsets[""], *(NEWER.get(n.op_type, 0) for n in nodes))
    else:
        nodes = [_standard(node, names, outputs, opsets)]
    graph = helper.make_graph(
        nodes,
        "node",
        [value_info(n, t) for n, t in zip(names, types, strict=True) if n],
        [value_info(n, None) for n in outputs if n],
    )
    imports = [helper.make_opsetid(d, v) for d, v in {**opsets, node.domain: opsets.get(node.domain, 1)}.items()]
    model = helper.make_model(graph, opset_imports=imports, ir_version=REFERENCE_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))


def _open_type(array: Array | None) -> TensorType | None:
    type_ = array_type(array)
    return None if type_ is None or type_.shape is None else TensorType(type_.dtype, (None,) * len(type_.shape))


def _standard(node: Node, names: list[str], outputs: list[str], opsets: dict[str, int]) -> NodeProto:
    proto = ProtoWriter(opsets).node(node)
    proto.ClearField("metadata_props")
    proto.name = ""
    del proto.input[:], proto.output[:]
    proto.input.extend(names)
    proto.output.extend(outputs)
    return proto


@lru_cache(maxsize=1024)
def _evaluator(signature: bytes) -> ReferenceEvaluator:
    model = ModelProto()
    model.ParseFromString(signature)
    return ReferenceEvaluator(model, new_ops=list(CORRECTED))
