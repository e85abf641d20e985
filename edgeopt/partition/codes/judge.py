"""What a network decides when values that cross its cuts were coded: its parts as native code, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.metrics import decisions
from edgeopt.ir import Array, Graph
from edgeopt.partition.codes.odds import expected_loss, odds, upper_bound
from edgeopt.partition.parts import parts
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import host

Change = Callable[[Array], Array]  # of the values of all samples


@dataclass(frozen=True)
class Loss:
    """``points`` of accuracy lost (of equal decisions without labels); ``agreement`` in percent.

    ``careful`` is what is held against a budget: an upper bound of what is expected to be lost, and at least ``points``.
    A network that gives a single number decides nothing: ``agreement`` is how near the numbers are, ``points`` what lacks of 100.
    """

    points: float
    careful: float
    agreement: float


def compiled_parts(graph: Graph, placement: Sequence[int]) -> list[CompiledModel]:
    """The parts of ``graph`` for this machine, in the order of their tiers."""
    names = [str(tier) for tier in range(max(placement, default=0) + 1)]
    return [assemble(part, host()) for part in parts(graph, placement, names).graphs.values()]


def deviation(wanted: Array, made: Array) -> Loss:
    """The loss of single numbers: the root mean square of what they miss, in percent of the spread of those ``wanted``."""
    squares = np.square(made.astype(np.float64) - wanted).ravel()
    spread = float(np.std(wanted, dtype=np.float64)) or float(np.abs(wanted).mean()) or 1.0
    points, careful = (100 * float(np.sqrt(of)) / spread for of in (squares.mean(), upper_bound(squares)))
    return Loss(points, careful, max(0.0, 100 - points))


def ran(model: CompiledModel, known: Mapping[str, Array], calls: int) -> dict[str, Array]:
    """What ``model`` makes of ``calls`` calls that lie one behind the other: at once, or one by one where a tensor has no axis

    for them, such as the condition of an If.
    """
    if all(port.shape[:1] == (1,) for port in (*model.inputs, *model.outputs)):
        return model.run(known)
    apart = {port.name: known[port.name].reshape(calls, *port.shape) for port in model.inputs}
    made = [model.run({name: array[call] for name, array in apart.items()}) for call in range(calls)]
    return {port.name: np.concatenate([np.atleast_1d(m[port.name]) for m in made]) for port in model.outputs}


class Judge:
    """The ``models`` that are the parts of ``graph``, on ``data``."""

    def __init__(self, graph: Graph, models: Sequence[CompiledModel], data: DataSet) -> None:
        data = fitted(data, graph)
        self._calls = len(data)
        self._models, self._output = models, judged(graph, data)
        self._inputs = {v.name: data.arrays[v.name] for v in graph.inputs}
        self.values: Mapping[str, Array] = self._run({})
        self.before = decisions(self.values[self._output])
        self.labels = self.before if data.labels is None else data.labels
        self._odds = None if data.labels is None else odds(self.values[self._output], self.labels)

    def loss(self, changes: Mapping[str, Change]) -> Loss:
        """What is lost when values are changed on their way."""
        made = self._run(changes)[self._output]
        if made[0].size == 1:
            return deviation(self.values[self._output], made)
        after = decisions(made)
        lost = (self.before == self.labels).astype(np.float64) - (after == self.labels)
        points = 100 * float(lost.mean())
        bound = 100 * upper_bound(lost if self._odds is None else expected_loss(self._odds, self.before, after))
        return Loss(points, max(points, bound), 100 * float(np.mean(after == self.before)))

    def _run(self, changes: Mapping[str, Change]) -> dict[str, Array]:
        """All values between the parts. A part whose inputs nothing changes is not computed again."""
        known = {name: changes[name](a) if name in changes else a for name, a in self._inputs.items()}
        touched = set(changes) & set(known) if changes else set(known)
        for model in self._models:
            names = [port.name for port in model.inputs]
            if touched.isdisjoint(names):
                made: Mapping[str, Array] = {port.name: self.values[port.name] for port in model.outputs}
            else:
                made = ran(model, {name: known[name] for name in names}, self._calls)
                touched |= set(made)
            known |= {name: changes[name](a) if name in changes else a for name, a in made.items()}
            touched |= set(changes) & set(made)
        return known
