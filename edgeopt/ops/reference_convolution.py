"""ConvTranspose for the reference evaluator, whose own fails on groups of more than one output channel (onnx 1.23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.reference.ops.op_conv_transpose import ConvTranspose as OnnxConvTranspose

from edgeopt.ir import Array


class ConvTranspose(OnnxConvTranspose):
    """Each group is a transposed convolution of its own; their results follow each other along the channels."""

    def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> tuple[Array, ...]:  # type: ignore[override]
        group = int(attributes.pop("group", None) or 1)
        inputs, weights = np.split(x, group, axis=1), np.split(w, group, axis=0)
        biases = [None] * group if b is None else np.split(b, group)
        run: Callable[..., tuple[Array, ...]] = super()._run
        parts = [run(*part, group=1, **attributes)[0] for part in zip(inputs, weights, biases, strict=True)]
        return (np.concatenate(parts, axis=1),)
