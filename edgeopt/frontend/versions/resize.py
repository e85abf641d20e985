"""Upsample (7 to 9) and Resize of operator set 10, by onnxruntime's reading of their short specification.

The source position is the output position over the scale. Nearest takes the element below it, where the map grows, and the one
above it, where the map shrinks; a node that does both along different axes becomes two.
"""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.versions.adapter import Adapter
from edgeopt.ir import Array, Node
from edgeopt.ops.definition import Body


def _resize(node: Node, body: Body) -> None:
    mode = node.text("mode", "nearest")
    scales = _scales(node)
    if scales is None:
        if mode == "nearest":
            raise EdgeoptError(f"{node!r} has scales that are computed; export the model with opset 11 or newer")
        _append(body, "x0", "x1", mode, "floor", "y0")
        return
    mode = "linear" if mode == "bilinear" else mode
    grows, shrinks = np.maximum(scales, 1), np.minimum(scales, 1)
    if mode != "nearest" or not (shrinks < 1).any():
        _append(body, "x0", body.constant(scales), mode, "floor", "y0")
    elif not (grows > 1).any():
        _append(body, "x0", body.constant(scales), mode, "ceil", "y0")
    else:
        larger = _append(body, "x0", body.constant(grows), mode, "floor", "")
        _append(body, larger, body.constant(shrinks), mode, "ceil", "y0")


def _append(body: Body, x: str, scales: str, mode: str, rounding: str, output: str) -> str:
    rounded = {"nearest_mode": rounding} if mode == "nearest" else {}
    return body.op("Resize", [x, "", scales], output, 1, mode=mode, coordinate_transformation_mode="asymmetric", **rounded)


def _scales(node: Node) -> Array | None:
    written = node.attributes.get("scales")
    if written is None:
        return node.constant(1)
    return np.asarray(written, np.float32)


ADAPTERS = {"Upsample": Adapter(10, _resize), "Resize": Adapter(11, _resize)}
