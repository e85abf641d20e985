"""What a model declares of the shapes it computes: element types are believed, dimensions are not.

A dimension of a computed value follows from the inputs, or the data decide it when the model runs. What a file says of it is a
claim: kernels that trusted it would write as many elements as the file likes. Claims about outputs of the model whose shapes
the data decide are kept beside the types, and compared with what comes out.
"""

from __future__ import annotations

from onnx import GraphProto

from edgeopt.ir import Graph, TensorType
from edgeopt.ops.tensors import tensor_type


def without_dims(type_: TensorType | None) -> TensorType | None:
    """``type_`` of open rank; what is no tensor stays as it is."""
    return type_ if type_ is None or type_.proto is not None else TensorType(type_.dtype)


def body_type(type_: TensorType | None) -> TensorType | None:
    """The type of an input of a subgraph. Scalars stay scalars: the trip number and the condition of a Loop have to be."""
    return type_ if type_ is not None and type_.shape == () else without_dims(type_)


def claim_outputs(graph: Graph, proto: GraphProto) -> None:
    """Keep what ``proto`` declares of the shapes of its outputs in ``graph.declared``."""
    types = {info.name: tensor_type(info.type) for info in proto.output}
    for value in graph.outputs:
        type_ = types.get(value.name)
        if value.producer is not None and type_ is not None and type_.shape:
            graph.declared[value.name] = type_.shape


def drop_settled(graph: Graph) -> None:
    """Forget claims about outputs whose shape is known by now: there, inference is right."""
    known = {value.name for value in graph.outputs if value.type is not None and value.type.static}
    graph.declared = {name: shape for name, shape in graph.declared.items() if name not in known}
