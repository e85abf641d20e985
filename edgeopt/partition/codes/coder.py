"""Codes for the tensors of a plan: fitted, chosen and reported on samples of which each does one of these."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.observe import observe
from edgeopt.ir import Array, Graph, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.partition.codes.choose import Chosen, estimated, shortest, tried, uploads
from edgeopt.partition.codes.judge import Judge, Loss, compiled_parts

FITTED, CHOOSING, REPORTING, FEW = 512, 1000, 1000, 32  # samples, at most
FEWEST = 20


@dataclass(eq=False)
class Coder:
    """Codes of tensors of the optimised ``graph`` by name, as far as they are ``chosen``; None where none keeps the budget.

    ``tried`` are the candidates, one for each transform; ``seconds`` those of coding a tensor and getting it back here. Raises
    EdgeoptError for too few samples, and for a network that gives no single decision for a call.
    """

    graph: Graph
    calibration: DataSet
    data: DataSet
    max_drop: float
    chosen: dict[str, Chosen | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tried: dict[str, list[Chosen]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        end = judged(self.graph, self.data)
        shape = next(shape_of(v) for v in self.graph.outputs if v.name == end)
        if (shape or (0,))[0] != 1:
            given = f"'{end}' {list(shape or ())} holds several samples, or none"
            raise EdgeoptError(f"codes of tensors are judged by one decision for each call, and {given}; leave out --data")
        if min(len(self.data) // 2, len(self.calibration)) < FEWEST:
            raise EdgeoptError(
                f"{len(self.calibration)} and {len(self.data)} samples are too few to fit, choose and judge codes; "
                f"give {FEWEST} for --calibration and {2 * FEWEST} for --data"
            )
        order = np.random.default_rng(0).permutation(len(self.data))
        self._calibration = self.calibration.subset(FITTED)
        self._choosing = self.data.take(np.sort(order[::2][:CHOOSING]))
        self._reporting = self.data.take(np.sort(order[1::2][:REPORTING]))
        self.reporting = len(self._reporting)

    def estimates(self) -> dict[str, float]:
        """Bytes of every tensor that could be coded, as few as is likely; those that are known are as they are."""
        values = [*self.graph.inputs, *(out for node in self.graph.nodes for out in node.outputs)]
        names = [v.name for v in values if _suits(v)]
        seen = observe(self.graph, names, self._calibration.subset(FEW))
        return {name: estimated(seen[name]) for name in names if seen[name][0].size > 1}

    def settle(self, placement: Sequence[int], names: Sequence[str], share: float = 1.0) -> None:
        """Choose codes for ``names``, which cross cuts of ``placement``, each alone and within a ``share`` of the budget."""
        models = compiled_parts(self.graph, placement)
        first, judge = (Judge(self.graph, models, data) for data in (self._calibration, self._choosing))
        for name in names:
            values = judge.values[name]

            def measure(array: Array, name: str = name) -> Loss:
                return judge.loss({name: lambda _: array})

            self.tried[name] = tried(first.values[name], first.labels, values, measure, share * self.max_drop)
            found = shortest(self.tried[name])
            if name in [value.name for value in self.graph.inputs]:
                found = self._or_upload(found, share * self.max_drop)
            self.chosen[name] = found
            if found is not None:
                self.seconds[name] = _seconds(found, values[:1])

    def reported(self, placement: Sequence[int], names: Sequence[str]) -> Loss:
        """What all codes of ``names`` together cost, on samples that have chosen nothing."""
        if not names:
            return Loss(0.0, 0.0, 100.0)
        judge = Judge(self.graph, compiled_parts(self.graph, placement), self._reporting)
        return judge.loss(self._changes(names))

    def joint(self, placement: Sequence[int], names: Sequence[str]) -> Loss:
        """The same on the samples that choose."""
        return Judge(self.graph, compiled_parts(self.graph, placement), self._choosing).loss(self._changes(names))

    def settle_input(self) -> None:
        """Give the network's only input a code that others use, unless it has one."""
        name = self.graph.inputs[0].name
        found = None if name in self.chosen else self._or_upload(None, self.max_drop)
        if found is not None:
            self.chosen[name] = found
            self.seconds[name] = _seconds(found, self._choosing.arrays[name][:1])

    def _or_upload(self, found: Chosen | None, budget: float) -> Chosen | None:
        """``found``, or what others would send if that is within the budget and shorter."""
        others = [upload for upload in self.uploads.values() if upload.loss.careful <= budget]
        return min([*([found] if found is not None else []), *others], key=lambda c: c.bytes, default=None)

    @cached_property
    def uploads(self) -> dict[str, Chosen]:
        """How others would send the network's only input: its bytes, and JPEG within the budget.

        None for several inputs, and for one that is no float32 tensor of one sample.
        """
        if len(self.graph.inputs) != 1 or not _suits(self.graph.inputs[0]):
            return {}
        name, placement = self.graph.inputs[0].name, [0] * len(self.graph.nodes)
        judge = Judge(self.graph, compiled_parts(self.graph, placement), self._choosing)
        given = self._calibration.arrays[name]
        return uploads(given, judge.values[name], lambda array: judge.loss({name: lambda _: array}), self.max_drop)

    def _changes(self, names: Sequence[str]) -> Mapping[str, Callable[[Array], Array]]:
        known = {name: self.chosen[name] for name in names}
        return {name: found.code.round_trip for name, found in known.items() if found is not None}


def _suits(value: Value) -> bool:
    """Whether a tensor is float32 and of one sample, for which there are codes."""
    shape = shape_of(value) or ()
    return dtype_of(value) == "float32" and len(shape) > 1 and shape[0] == 1


def _seconds(chosen: Chosen, sample: Array) -> float:
    """The least time of coding and decoding over some tries, the first of which compiles."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        chosen.code.decode(chosen.code.encode(sample))
        times.append(time.perf_counter() - begun)
    return min(times)
