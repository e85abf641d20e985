"""Attributes that became inputs, operators that were renamed, and masks that changed."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.versions.adapter import ANY_VERSION, Adapter
from edgeopt.ir import Node
from edgeopt.ir.match import dtype_of
from edgeopt.ops.definition import Body, element_type


def _clip(node: Node, body: Body) -> None:
    """Limits that are left out are the lowest and the largest finite number, so that infinity is clipped too."""
    dtype = element_type(node)
    limits = np.finfo(dtype)
    low, high = (
        f"x{index}" if node.input(index) is not None else body.constant(node.real(name, float(limit)), dtype)
        for index, name, limit in ((1, "min", limits.min), (2, "max", limits.max))
    )
    body.op("Clip", ["x0", low, high], "y0")


def _lacks_a_limit(node: Node) -> bool:
    return dtype_of(node.input(0)) in ("float16", "float32", "float64") and (node.input(1) is None or node.input(2) is None)


def _slice(node: Node, body: Body) -> None:
    names = ("starts", "ends", "axes") if "axes" in node.attributes else ("starts", "ends")
    body.op("Slice", ["x0", *(body.constant(node.integers(name), "int64") for name in names)], "y0")


def _pad(node: Node, body: Body) -> None:
    pads = body.constant(node.integers("pads"), "int64")
    mode = node.text("mode", "constant")
    value = [body.constant(node.real("value", 0.0), element_type(node))] if mode == "constant" else []
    body.op("Pad", ["x0", pads, *value], "y0", mode=mode)


def _axes(node: Node, body: Body) -> None:
    """Squeeze, Unsqueeze and ReduceSum; no axes mean those of size 1, or all."""
    axes = [body.constant(node.integers("axes"), "int64")] if node.integers("axes") else []
    keep = {"keepdims": node.integer("keepdims", 1)} if node.op == "ReduceSum" else {}
    body.op(node.op, ["x0", *axes], "y0", 1, **keep)


def _split(node: Node, body: Body) -> None:
    sizes = [body.constant(node.integers("split"), "int64")] if node.integers("split") else []
    body.call("Split", ["x0", *sizes], _outputs(node), "", axis=node.integer("axis", 0))


def _top_k(node: Node, body: Body) -> None:
    count = body.constant([node.integer("k", 0)], "int64")
    body.call("TopK", ["x0", count], _outputs(node), "", axis=node.integer("axis", -1))


def _scatter(node: Node, body: Body) -> None:
    body.op("ScatterElements", ["x0", "x1", "x2"], "y0", axis=node.integer("axis", 0))


def _dropout(node: Node, body: Body) -> None:
    """The identity. The mask of what was dropped is false everywhere; from operator set 12 on it says what was kept."""
    body.op("Identity", ["x0"], "y0")
    if len(node.outputs) > 1 and node.outputs[1].name:
        type_ = node.outputs[1].type
        mask = np.zeros(1, np.bool_ if type_ is None or type_.dtype == "bool" else np.dtype(type_.dtype))
        body.op("ConstantOfShape", [body.op("Shape", ["x0"])], "y1", value=numpy_helper.from_array(mask))


def _scan(node: Node, body: Body) -> None:
    raise EdgeoptError(f"{node!r} is a Scan of opset 8, over batches; export the model with opset 9 or newer")


def _outputs(node: Node) -> list[str]:
    return [f"y{i}" if out.name else "" for i, out in enumerate(node.outputs)]


ADAPTERS = {
    "Clip": Adapter(ANY_VERSION, _clip, _lacks_a_limit),
    "Slice": Adapter(10, _slice),
    "Pad": Adapter(11, _pad),
    "Squeeze": Adapter(13, _axes),
    "Unsqueeze": Adapter(13, _axes),
    "ReduceSum": Adapter(13, _axes),
    "Split": Adapter(13, _split),
    "TopK": Adapter(10, _top_k),
    "Scatter": Adapter(11, _scatter),
    "Dropout": Adapter(12, _dropout),
    "Scan": Adapter(9, _scan),
}
