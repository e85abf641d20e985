"""IR to ONNX: a model that onnx.checker accepts and onnxruntime runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, helper

from edgeopt.errors import EdgeoptError
from edgeopt.files import replacing
from edgeopt.frontend.detach import rewrite_detached
from edgeopt.ir import OWN_DOMAIN, Graph
from edgeopt.ops.proto import FUNCTION_IR_VERSION, ProtoWriter
from edgeopt.ops.tensors import DATA_LIMIT

MAX_WEIGHT_BYTES = 2**31 - 2**27  # leaves 128 MB of the 2 GB of a file to nodes and names


def export(graph: Graph, portable: bool = False, elsewhere: Mapping[str, str] | None = None) -> ModelProto:
    """``graph`` as a ModelProto of its own opset and IR version.

    Own operators become model-local functions of the domain ``ai.edgeopt`` (which needs IR version 8); ``portable`` inlines
    them, for runtimes that read no functions. Constants named in ``elsewhere`` refer to a file that holds their data.
    """
    writer = ProtoWriter(dict(graph.opsets), elsewhere=elsewhere or {})
    proto = writer.graph(graph)
    model = helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid(d, v) for d, v in _imports(graph, bool(writer.functions)).items()],
        ir_version=max(graph.ir_version, FUNCTION_IR_VERSION) if writer.functions else graph.ir_version,
        functions=list(writer.functions.values()),
        producer_name=graph.producer[0],
        producer_version=graph.producer[1],
    )
    helper.set_model_props(model, graph.metadata)
    if not (portable and writer.functions):
        return model
    return rewrite_detached(model, onnx.inliner.inline_local_functions, "the own operators cannot be inlined")


def _imports(graph: Graph, own: bool) -> dict[str, int]:
    used = {node.domain for inner in graph.walk() for node in inner.nodes}
    imports = {**dict.fromkeys(sorted(used), 1), **graph.opsets}
    if not own:
        imports.pop(OWN_DOMAIN, None)
    return imports


def save(graph: Graph, path: str | os.PathLike[str], portable: bool = False) -> None:
    """Write ``export(graph)`` to ``path``, aside first and then renamed, so that no half-written model is ever seen.

    Above 2 GB the weights go to ``NAME.data`` next to it. Raises EdgeoptError when the folder cannot be written.
    """
    target = Path(path)
    model = export(graph, portable)
    # Protobuf cannot even count the bytes of a message above 2 GB, so the weights are counted.
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > MAX_WEIGHT_BYTES:
        _move_weights(model, target.with_name(f"{target.name}.data"))
    try:
        content = model.SerializeToString()
    except EncodeError as error:
        raise EdgeoptError(f"cannot write '{target}': its subgraphs hold more than 2 GB of constants") from error
    with replacing(target) as stream:
        stream.write(content)


def _move_weights(model: ModelProto, data: Path) -> None:
    with replacing(data) as stream:
        for tensor in model.graph.initializer:
            if not tensor.HasField("raw_data") or len(tensor.raw_data) <= DATA_LIMIT:
                continue
            stream.write(b"\0" * (-stream.tell() % 4096))
            entries = {"location": data.name, "offset": stream.tell(), "length": len(tensor.raw_data)}
            stream.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=str(value))
