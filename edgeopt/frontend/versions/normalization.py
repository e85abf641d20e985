"""Normalizations whose attributes or parameters changed their meaning."""

from __future__ import annotations

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.versions.adapter import ANY_VERSION, Adapter
from edgeopt.ir import Node
from edgeopt.ir.match import rank_of, shape_of
from edgeopt.ops.definition import Body, element_type


def _element_normalization(node: Node, body: Body) -> None:
    """inputs X [N, D...], scale, B, mean, variance [D...]: statistics of every element instead of every channel."""
    epsilon = body.constant(node.real("epsilon", 1e-5), element_type(node))
    deviation = body.op("Sqrt", [body.op("Add", ["x4", epsilon])])
    normal = body.op("Div", [body.op("Sub", ["x0", "x3"]), deviation])
    body.op("Add", [body.op("Mul", [normal, "x1"]), "x2"], "y0")


def _mean_variance(node: Node, body: Body) -> None:
    """The default of ``axes`` written out, which ONNX's own body of the operator lacks."""
    body.op("MeanVarianceNormalization", ["x0"], "y0", axes=[0, 2, 3])


def _group_normalization(node: Node, body: Body) -> None:
    """inputs X [N, C, D...], scale, bias [num_groups]: a factor and an offset for every group instead of every channel.

    Groups are the channels of an instance normalization of [N, num_groups, C / num_groups D...] (Wu and He, Group Normalization,
    2018).
    """
    groups, shape = node.integer("num_groups", 1), shape_of(node.input(0))
    if shape is not None and (groups < 1 or shape[1] % groups):
        raise EdgeoptError(f"{node!r} has {shape[1]} channels, which num_groups={groups} does not divide")
    grouped = body.op("Reshape", ["x0", body.constant([0, groups, -1], "int64")])
    normal = body.op("InstanceNormalization", [grouped, "x1", "x2"], epsilon=node.real("epsilon", 1e-5))
    body.op("Reshape", [normal, body.op("Shape", ["x0"])], "y0")


def _spatial(node: Node, body: Body) -> None:
    """``spatial`` = 0 asks for statistics of every element, which for two axes is the same as of every channel."""
    if _trains(node):
        raise EdgeoptError(f"{node!r} computes new statistics, as in training; export the model for inference")
    if node.integer("spatial", 1) == 0 and rank_of(node.input(0)) != 2:
        return _element_normalization(node, body)
    names = [f"x{i}" for i in range(5)]
    body.op("BatchNormalization", names, "y0", epsilon=node.real("epsilon", 1e-5), momentum=node.real("momentum", 0.9))


def _trains(node: Node) -> bool:
    return any(out.uses or (node.graph is not None and node.graph.is_output(out)) for out in node.outputs[1:])


ADAPTERS = {
    "BatchNormalization": Adapter(14, _spatial, lambda node: "spatial" in node.attributes or len(node.outputs) > 1),
    "MeanVarianceNormalization": Adapter(ANY_VERSION, _mean_variance, lambda node: "axes" not in node.attributes),
    "GroupNormalization": Adapter(21, _group_normalization),
}
