"""Bounds on what a model file unfolds to: nodes, nesting, and bytes of constants that are stored in fewer than they have."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from math import prod
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

from edgeopt.errors import EdgeoptError
from edgeopt.files import open_regular
from edgeopt.frontend.model_file import read_model
from edgeopt.frontend.structure import describe, subgraphs
from edgeopt.frontend.tensor_check import element_bits
from edgeopt.ir import Graph
from edgeopt.memory_limit import CONSTANT_COPIES, require

MAX_NODES = 50_000
MAX_NESTING = 24  # protobuf itself reads 100 nested messages, and a subgraph takes three
MAX_RANK = 64  # what numpy holds
DISK_BLOCK = 512


def held_bytes(model: ModelProto, folder: Path | None, shapes: Mapping[str, Sequence[int]]) -> int:
    """Bytes that the model itself brings: its file, the data files on disk, and its inputs; an open dimension counts as one."""
    return source_bytes(model, folder) + sum(_input_bytes(info, shapes) for info in model.graph.input)


def source_bytes(model: ModelProto, folder: Path | None) -> int:
    """Bytes of the model's file and of the data files in ``folder`` on disk."""
    stored = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    external = sum(map(_bytes_on_disk, {folder / _location(t) for t in stored} if folder is not None else ()))
    return int(model.ByteSize()) + external


def file_bytes(path: Path) -> int:
    """Bytes of the model in ``path`` and of its data files, from what its tensors say; those are not read."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else nullcontext(b"") as data:
            inline = data.find(b"location") < 0  # the key of every tensor whose data lie in another file
    return size if inline else source_bytes(read_model(path), path.parent)


def _location(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _bytes_on_disk(path: Path) -> int:
    """What the file really occupies: a file of holes is as good as empty."""
    try:
        return path.stat().st_blocks * DISK_BLOCK if path.is_file() else 0
    except (OSError, ValueError):
        return 0


def _input_bytes(info: ValueInfoProto, shapes: Mapping[str, Sequence[int]]) -> int:
    tensor = info.type.tensor_type
    dims = [d for d in shapes.get(info.name, [d.dim_value for d in tensor.shape.dim]) if isinstance(d, int)]
    return prod(max(d, 1) for d in dims) * _element_bytes(tensor.elem_type)


def _element_bytes(code: int) -> int:
    try:
        return (element_bits(code) + 7) // 8
    except EdgeoptError:
        return 0  # refused where types are checked


def check_extent(model: ModelProto, limit: int) -> None:
    """Raise EdgeoptError for too many nodes, too deep nesting, or sparse constants that are too large once they are dense."""
    total, nodes = 0, 0
    for graph, depth in nested_graphs(model):
        if depth > MAX_NESTING:
            raise EdgeoptError(f"graph '{graph.name}' lies inside {depth} others, more than {MAX_NESTING}; flatten the model")
        nodes += len(graph.node)
        for name, sparse in _sparse_constants(graph):
            total += dense_bytes(sparse)
            what = f"the sparse constants up to {name}, of shape {list(sparse.dims)}, made dense"
            require(CONSTANT_COPIES * total, limit, what)
    if nodes > MAX_NODES:
        raise EdgeoptError(f"the model has {nodes} nodes, more than {MAX_NODES}; split it")


def nested_graphs(model: ModelProto) -> Iterator[tuple[GraphProto, int]]:
    """Every graph of ``model`` and of its functions, with the number of graphs around it. Does not recurse."""
    waiting = [(model.graph, 0), *((g, 1) for f in model.functions for node in f.node for g in subgraphs(node))]
    while waiting:
        graph, depth = waiting.pop()
        yield graph, depth
        if depth <= MAX_NESTING:
            waiting += [(inner, depth + 1) for node in graph.node for inner in subgraphs(node)]


def dense_bytes(sparse: SparseTensorProto) -> int:
    """Bytes of a sparse tensor once it is dense."""
    return int(prod(max(d, 0) for d in sparse.dims)) * _element_bytes(sparse.values.data_type)


def constant_bytes(node: NodeProto) -> int:
    """Bytes of the tensors among the attributes of ``node``, sparse ones counted dense."""
    tensors = [a.t for a in node.attribute if a.HasField("t")]
    return sum(int(t.ByteSize()) for t in tensors) + sum(dense_bytes(sparse) for sparse in _sparse_attributes(node))


def _sparse_attributes(node: NodeProto) -> Iterator[SparseTensorProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.SPARSE_TENSOR:
            yield attribute.sparse_tensor
        yield from attribute.sparse_tensors


def _sparse_constants(graph: GraphProto) -> Iterator[tuple[str, SparseTensorProto]]:
    yield from ((f"initializer '{s.values.name}'", s) for s in graph.sparse_initializer)
    yield from ((describe(node), s) for node in graph.node for s in _sparse_attributes(node))


def check_values(graph: Graph, limit: int) -> None:
    """Raise EdgeoptError, naming its node, for a value of ``graph`` that alone takes more than ``limit`` bytes."""
    for inner in graph.walk():
        for value in [*inner.inputs, *(out for node in inner.nodes for out in node.outputs)]:
            type_ = value.type
            if type_ is None or type_.proto is not None or not type_.shape:
                continue
            what = f"input '{value.name}'" if value.producer is None else f"{value.producer!r}: its result '{value.name}'"
            if len(type_.shape) > MAX_RANK:
                raise EdgeoptError(f"{what} has {len(type_.shape)} dimensions, at most {MAX_RANK} are possible; reshape it")
            require(type_.nbytes, limit, f"{what} of {type_}")
