"""Evaluation inside the graph's memory limit: what a node will make is known, and refused, before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from edgeopt.ir import Array, Node, Value, VerificationError
from edgeopt.memory_limit import require
from edgeopt.ops import control, evaluation
from edgeopt.ops.inference import infer
from edgeopt.ops.tensors import array_type
from edgeopt.ops.trips import limit_of

# Operators whose results are as large as a value or an attribute says, whatever the size of their inputs.
SIZED_BY_VALUE = frozenset(
    ("AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "ConstantOfShape", "Conv", "ConvTranspose", "DFT", "Expand")
    + ("HammingWindow", "HannWindow", "MaxRoiPool", "MaxUnpool", "MelWeightMatrix", "Multinomial", "OneHot", "Pad")
    + ("RandomNormal", "RandomUniform", "Range", "Resize", "RoiAlign", "STFT", "Tile", "Upsample")
)
SMALL = 1 << 20  # elements: results of other operators have at most the product of the sizes of their inputs


def evaluate(node: Node, inputs: Sequence[Array | None], captured: Mapping[str, Array] | None = None) -> list[Array]:
    """The outputs of ``node`` on ``inputs`` (None where an optional input is left out).

    ``captured`` holds, by name, the values of enclosing graphs that a subgraph of If, Loop or Scan reads; constants need not be
    in it. Raises EdgeoptError that names the node when it fails on these inputs, or when its result would be larger than the
    memory limit of its graph.
    """
    if node.is_op("If", "Loop", "Scan"):
        return control.run(node, list(inputs), dict(captured or {}), evaluate)
    require(result_bytes(node, inputs), limit_of(node), f"{node!r}: its result")
    return evaluation.evaluate(node, inputs)


def result_bytes(node: Node, inputs: Sequence[Array | None]) -> int:
    """Bytes of what ``node`` makes of ``inputs``, by type inference; 0 where that is open or small for certain."""
    if any(a is not None and not isinstance(a, np.ndarray) for a in inputs):
        return 0  # sequences: what is taken out of them or put together is in memory already
    sizes = [a.size for a in inputs if a is not None]
    if node.op not in SIZED_BY_VALUE and prod(sizes) <= SMALL:
        return 0
    try:
        probe = replace(
            node, inputs=[None if a is None else Value(f"x{i}", array_type(a), _array=a) for i, a in enumerate(inputs)]
        )
        return sum(type_.nbytes for type_ in infer(probe) if type_ is not None)
    except (VerificationError, TypeError, ValueError, KeyError):
        return 0
