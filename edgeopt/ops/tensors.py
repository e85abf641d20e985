"""Tensors and types between the IR and ONNX protos."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper

from edgeopt.ir import Array, TensorType, Value, dtype_name, numpy_dtype, onnx_code
from edgeopt.ir.types import Dim

# Shape inference reads the data of small constants only (shapes, axes, pads); larger ones travel as type and shape.
DATA_LIMIT = 1024


def type_proto(type_: TensorType) -> TypeProto:
    """The TypeProto of ``type_``; an unknown rank leaves the shape out."""
    proto = TypeProto()
    if type_.proto is not None:
        proto.ParseFromString(type_.proto)
        return proto
    proto.tensor_type.elem_type = onnx_code(type_.dtype)
    if type_.shape is not None:
        proto.tensor_type.shape.SetInParent()
        for dim in type_.shape:
            entry = proto.tensor_type.shape.dim.add()
            if isinstance(dim, str):
                entry.dim_param = dim
            elif dim is not None:
                entry.dim_value = dim
    return proto


def tensor_type(proto: TypeProto) -> TensorType | None:
    """The TensorType of a TypeProto; None when it says nothing. Negative dimensions mean unknown."""
    kind = proto.WhichOneof("value")
    if kind is None:
        return None
    if kind != "tensor_type":
        return TensorType(kind.removesuffix("_type"), None, proto.SerializeToString())
    tensor = proto.tensor_type
    if tensor.elem_type == TensorProto.UNDEFINED:
        return None
    shape = tuple(_dim(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorType(dtype_name(tensor.elem_type), shape)


def _dim(dim: object) -> Dim:
    kind = dim.WhichOneof("value")  # type: ignore[attr-defined]
    if kind == "dim_param":
        return str(dim.dim_param) or None  # type: ignore[attr-defined]
    value = int(dim.dim_value) if kind == "dim_value" else -1  # type: ignore[attr-defined]
    return value if value >= 0 else None


def value_info(name: str, type_: TensorType | None) -> ValueInfoProto:
    """A named type; an unknown type leaves it empty."""
    info = ValueInfoProto(name=name)
    if type_ is not None:
        info.type.CopyFrom(type_proto(type_))
    return info


def array_type(array: object) -> TensorType | None:
    """The type of ``array``; None for a sequence or an absent optional value."""
    if not isinstance(array, np.ndarray):
        return None
    code = helper.np_dtype_to_tensor_dtype(array.dtype) if array.dtype != object else onnx_code("string")
    return TensorType(dtype_name(code), array.shape)


def tensor_proto(name: str, array: Array, dtype: str | None = None) -> TensorProto:
    """``array`` as a TensorProto whose element type is ``dtype``, which may be a type numpy itself lacks (int4)."""
    if dtype not in (None, "string") and array.dtype != numpy_dtype(str(dtype)):
        array = array.astype(numpy_dtype(str(dtype)))
    return numpy_helper.from_array(np.asarray(array), name)


def referring_proto(value: Value, file: str) -> TensorProto:
    """The initializer of a constant whose data lie in another ``file``."""
    assert value.type is not None
    made = TensorProto(name=value.name, data_type=onnx_code(value.type.dtype), dims=value.array.shape)
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value=file)
    return made


def constant_proto(value: Value, data: bool = True) -> TensorProto:
    """The initializer of a constant; without ``data`` a large one carries its type and shape only."""
    type_ = value.type
    if not data and type_ is not None and type_.static and int(np.prod(type_.dims, dtype=object)) > DATA_LIMIT:
        return TensorProto(name=value.name, data_type=onnx_code(type_.dtype), dims=type_.dims)
    # Data that still lies on disk is read for this call only, so that writing a model does not fill the memory with it.
    array = value.load() if value._array is None and value.load is not None else value.array
    return tensor_proto(value.name, array, type_.dtype if type_ is not None else None)
