"""Seconds of each native step of a model on one thread.

A step of a small network takes less than the way to it from Python. There the steps up to each one are run, several inferences
in one native call, and a step is the difference of two such times: it is timed where it stands, on what lies in the caches.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, empty, sample_count

SHORT = 3e-4  # seconds of an inference below which steps are timed by differences
LEAST = 5  # measurements of each of these times at least, since differences of single ones are noise


class StepClock:
    """``sample`` measures once more, ``seconds`` is what is known by now, in the order of manifest["kernels"].

    Raises EdgeoptError for a model with host steps or for inputs that hold more than one batch.
    """

    def __init__(self, model: CompiledModel, inputs: Mapping[str, Array]) -> None:
        arrays = checked(inputs, model.inputs)
        if model.manifest["fallbacks"] or sample_count(arrays, model.inputs, model.outputs) != 1:
            raise EdgeoptError("only a model without host steps can be profiled, on one batch")
        clock = Clock(model, inputs)
        took = min(clock() for _ in range(LEAST))
        self._model, self._differences = model, took < SHORT
        self._copies = max(1, min(clock.count, int(SHORT / took))) if self._differences else 1
        many = self._copies > 1
        self._arrays = [np.concatenate([array] * self._copies) if many else array for array in arrays]
        self._outputs = [empty(port, self._copies) for port in model.outputs]
        self._best = np.full(len(model.manifest["kernels"]) + 1, np.inf)
        self._samples = 0

    def sample(self) -> None:
        """Time every step once more."""
        self._samples += 1
        for index in range(len(self._best)):
            took = self._up_to(index) if self._differences else self.span(max(0, index - 1), index)
            self._best[index] = min(self._best[index], took)

    def seconds(self) -> list[float]:
        """The least that was seen of each step."""
        while self._samples < (LEAST if self._differences else 1):
            self.sample()
        steps = np.diff(self._best) if self._differences else self._best[1:] - self._best[0]
        return [float(value) for value in np.maximum(steps, 0.0)]

    def span(self, first: int, last: int) -> float:
        """Of one run of the steps from ``first`` to before ``last``, and of the call, which is all where they are equal."""
        with self._model.held(self._arrays, self._outputs) as (native, context):
            started = time.perf_counter()
            native.steps(context, first, last)
            return time.perf_counter() - started

    def _up_to(self, last: int) -> float:
        """Of the first steps, in one inference of several."""
        with self._model.held(self._arrays, self._outputs) as (native, context):
            started = time.perf_counter()
            native.samples(context, None, self._copies, last)
            return (time.perf_counter() - started) / self._copies
