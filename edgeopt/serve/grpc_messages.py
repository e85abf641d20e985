"""The messages of the Open Inference Protocol's gRPC form, built from the table below.

Names, numbers and types of the fields are those of the public specification (KServe, version 2; the last two choices of
InferParameter are Triton's). Other packages register these messages too, so ours lie in a pool of their own. Where the
specification nests messages they are side by side here, which is the same on the wire.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

PACKAGE, SERVICE = "inference", "GRPCInferenceService"
Message = Any  # protobuf makes its classes at run time
_TENSOR = (
    "string name=1; string datatype=2; repeated int64 shape=3; map InferParameter parameters=4; InferTensorContents contents=5"
)
FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "bool live=1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "bool ready=1",
    "ModelReadyRequest": "string name=1; string version=2",
    "ModelReadyResponse": "bool ready=1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "string name=1; string version=2; repeated string extensions=3",
    "ModelMetadataRequest": "string name=1; string version=2",
    "TensorMetadata": "string name=1; string datatype=2; repeated int64 shape=3",
    "ModelMetadataResponse": "string name=1; repeated string versions=2; string platform=3; repeated TensorMetadata inputs=4;"
    "repeated TensorMetadata outputs=5",
    "InferParameter": "choice bool bool_param=1; choice int64 int64_param=2; choice string string_param=3;"
    "choice double double_param=4; choice uint64 uint64_param=5",
    "InferTensorContents": "repeated bool bool_contents=1; repeated int32 int_contents=2; repeated int64 int64_contents=3;"
    "repeated uint32 uint_contents=4; repeated uint64 uint64_contents=5; repeated float fp32_contents=6;"
    "repeated double fp64_contents=7; repeated bytes bytes_contents=8",
    "InferInputTensor": _TENSOR,
    "InferOutputTensor": _TENSOR,
    "InferRequestedOutputTensor": "string name=1; map InferParameter parameters=2",
    "ModelInferRequest": "string model_name=1; string model_version=2; string id=3; map InferParameter parameters=4;"
    "repeated InferInputTensor inputs=5; repeated InferRequestedOutputTensor outputs=6; repeated bytes raw_input_contents=7",
    "ModelInferResponse": "string model_name=1; string model_version=2; string id=3; map InferParameter parameters=4;"
    "repeated InferOutputTensor outputs=5; repeated bytes raw_output_contents=6",
}
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
_FIELD = re.compile(r"(?:(repeated|map|choice) )?(\w+) (\w+)=(\d+)")
_Descriptor = descriptor_pb2.DescriptorProto
_Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="edgeopt_inference.proto", package=PACKAGE, syntax="proto3")
    for name, fields in FIELDS.items():
        made = file.message_type.add(name=name)
        if "choice" in fields:
            made.oneof_decl.add(name="parameter_choice")
        for label, kind, field, number in _FIELD.findall(fields):
            _add(made, label, kind, field, int(number))
    return file


def _add(message: Any, label: str, kind: str, field: str, number: int) -> None:
    """One field of ``message``; a map is what protobuf says a map is: repeated entries of a nested message."""
    if label == "map":
        entry = message.nested_type.add(name=f"{field.capitalize()}Entry", options={"map_entry": True})
        _add(entry, "", "string", "key", 1)
        _add(entry, "", kind, "value", 2)
        kind = f"{message.name}.{entry.name}"
    made = message.field.add(name=field, number=number, label=_Field.LABEL_REPEATED if label in ("repeated", "map") else 1)
    if kind.islower():
        made.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
    else:
        made.type, made.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    if label == "choice":
        made.oneof_index = 0


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
MESSAGES: dict[str, Message] = {
    name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in FIELDS
}
