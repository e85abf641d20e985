"""Takes the bulk of the weights out of a model while native code rewrites it: that code copies everything it is given,
fails above 2 GB, and would read external data."""

from __future__ import annotations

from collections.abc import Callable

from onnx import ModelProto, TensorProto

from edgeopt.errors import EdgeoptError
from edgeopt.ops.tensors import DATA_LIMIT

MAX_PROTO_BYTES = 2**31 - 1
_DATA_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data")


def rewrite_detached(model: ModelProto, rewrite: Callable[[ModelProto], ModelProto], what: str) -> ModelProto:
    """``rewrite(model)`` without the data of its large initializers, which are put back by name.

    The metadata of the nodes is carried across by the names of their outputs. ``model`` is consumed. Raises EdgeoptError
    that says ``what`` failed.
    """
    held = {t.name: _detach(t) for t in model.graph.initializer if _is_large(t)}
    metadata = {out: list(node.metadata_props) for node in model.graph.node for out in node.output if node.metadata_props}
    if model.ByteSize() > MAX_PROTO_BYTES:
        raise EdgeoptError(f"{what}: the model without its initializers is larger than 2 GB; move its constants to initializers")
    try:
        result = rewrite(model)
    except Exception as error:  # native code raises anything from RuntimeError to its own classes
        reason = " ".join(str(error).split())[:300]
        raise EdgeoptError(f"{what}: {reason}; export the model with a newer opset and without functions") from error
    for tensor in result.graph.initializer:
        if tensor.name in held:
            tensor.CopyFrom(held[tensor.name])
    for node in result.graph.node:
        if node.output and not node.metadata_props and node.output[0] in metadata:
            node.metadata_props.extend(metadata[node.output[0]])
    _carry_fields(model, result)
    return result


def _is_large(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or tensor.ByteSize() > 4 * DATA_LIMIT


def _detach(tensor: TensorProto) -> TensorProto:
    held = TensorProto()
    held.CopyFrom(tensor)
    for name in _DATA_FIELDS:
        tensor.ClearField(name)
    tensor.ClearField("data_location")
    return held


def _carry_fields(model: ModelProto, result: ModelProto) -> None:
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        setattr(result, name, getattr(model, name))
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
