"""Attributes that name one of a few ways: what has no meaning is refused instead of taken for the usual way."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands

_REDUCTIONS = ("none", "add", "mul", "max", "min")
_COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize")
MODES: dict[str, dict[str, tuple[str, ...]]] = {
    "BitShift": {"direction": ("LEFT", "RIGHT")},
    "DepthToSpace": {"mode": ("DCR", "CRD")},
    "SpaceToDepth": {"mode": ("DCR", "CRD")},
    "Gelu": {"approximate": ("none", "tanh")},
    "GridSample": {
        "mode": ("linear", "bilinear", "nearest", "cubic", "bicubic"),
        "padding_mode": ("zeros", "border", "reflection"),
    },
    "Resize": {
        "mode": ("nearest", "linear", "cubic"),
        "coordinate_transformation_mode": (*_COORDINATES, "tf_half_pixel_for_nn"),
        "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
        "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    },
    "RoiAlign": {"mode": ("avg", "max"), "coordinate_transformation_mode": ("half_pixel", "output_half_pixel")},
    "ScatterElements": {"reduction": _REDUCTIONS},
    "ScatterND": {"reduction": _REDUCTIONS},
}


def check_modes(operands: Operands) -> None:
    """Raise Misfit for an attribute that names a way its operator does not have."""
    for name, allowed in MODES.get(operands.node.op, {}).items():
        given = operands.node.text(name, allowed[0])
        operands.need(given in allowed, f"{name} is '{given}', {' or '.join(allowed)} is needed")
