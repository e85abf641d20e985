"""A model for servers: it doubles its input, may take its time, and fails on NaN."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.served import Signature

X = Signature("x", np.dtype(np.float32), (1, 4))
Y = Signature("y", X.dtype, X.shape)
ONE = np.arange(4, dtype=np.float32).reshape(1, 4)


class Doubling:
    """Doubles its input; takes ``seconds`` for it; fails on NaN."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.inputs: Sequence[Signature] = [X]
        self.outputs: Sequence[Signature] = [Y]

    def run(self, inputs: Mapping[str, Array], deadline: float | None) -> dict[str, Array]:
        time.sleep(self.seconds)
        if np.isnan(inputs["x"]).any():
            raise EdgeoptError("not a number")
        return {"y": 2 * inputs["x"]}
