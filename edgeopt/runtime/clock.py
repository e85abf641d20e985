"""Seconds of one inference in native code: small networks run many times in one call, which hides the way to it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count

BURST = 1e-3  # seconds that one call takes at least, against some microseconds from Python
MOST, MOST_BYTES = 512, 16 << 20  # inferences in one call, and bytes of their inputs


class Clock:
    """Calling it runs ``model`` on ``inputs`` of one batch and gives the seconds of one inference.

    Where a call cannot take several batches, as with host steps or scalars, it holds one, and the way from Python counts.
    Raises EdgeoptError for inputs that do not fit.
    """

    def __init__(self, model: CompiledModel, inputs: Mapping[str, Array], threads: int = 1) -> None:
        self._model, self._threads = model, threads
        self._inputs, self.count = dict(inputs), 1
        self._run()  # loads the code
        size = sum(np.asarray(array).nbytes for array in inputs.values())
        count = min(MOST, MOST_BYTES // max(1, size), int(BURST / max(1e-9, min(self() for _ in range(3)))))
        if count > 1 and not model.manifest["fallbacks"] and self._takes(count):
            self._inputs, self.count = self._repeated(count), count

    def __call__(self) -> float:
        started = time.perf_counter()
        self._run()
        return (time.perf_counter() - started) / self.count

    def _run(self) -> None:
        self._model.run(self._inputs, threads=self._threads)

    def _repeated(self, count: int) -> dict[str, Array]:
        return {name: np.concatenate([array] * count) for name, array in self._inputs.items()}

    def _takes(self, count: int) -> bool:
        if not self._inputs or any(not np.ndim(array) for array in self._inputs.values()):
            return False
        try:
            arrays = checked(self._repeated(2), self._model.inputs)
            return sample_count(arrays, self._model.inputs, self._model.outputs) == 2
        except EdgeoptError:
            return False
