"""How far a model's outputs move when its numbers are rounded a little differently: how far two right engines may lie apart.

Where values become codes, a sum that was added in another order may fall on the other side of half a step, and every number
behind it moves: by far more than rounding, in a model that is right. How far is measured rather than assumed, on the engine that
is compared with: its float constants are nudged by what sums in float32 round (backward error: Higham, Accuracy and Stability of
Numerical Algorithms, chapter 1), and the largest movement of an output is what rounding can do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from edgeopt.examine.difference import compare
from edgeopt.ir import Array

NUDGE = 2.0**-20  # of a constant: eight times the rounding of a float32, as sums of some hundred numbers make
VARIANTS = 8
ROOM = 2.0  # times the movement that was seen, which of few random samples is less than what can be

Sample = Mapping[str, Array]
Run = Callable[[Sample], Sample]


def rounding_apart(path: Path, run: Callable[[Path], Run], inputs: Sequence[Sample], expected: Sequence[Sample]) -> float:
    """What two right engines may differ by, as a share of an output's range: ``ROOM`` times the largest movement.

    ``run`` opens a variant of the model at ``path``, written beside it; that model makes ``expected`` of ``inputs``.
    """
    model, worst = onnx.load(path), 0.0
    for seed in range(VARIANTS):
        variant = path.with_name(f"{path.stem}-{seed}.onnx")
        onnx.save(nudged(model, seed), variant)
        runner = run(variant)
        worst = max(worst, *(row.error for row in compare(expected, [runner(sample) for sample in inputs])))
        variant.unlink()
    return ROOM * worst


def nudged(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """``model`` with each number of its float32 constants up to ``NUDGE`` of itself larger or smaller."""
    rng, made = np.random.default_rng(seed), onnx.ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor)
            moved = array * (1 + NUDGE * rng.uniform(-1, 1, array.shape))
            tensor.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), tensor.name))
    return made
