"""Early exits as a technique: what stands at a place where a network can be left, in one session of a search."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.exit.carried_out import head_names, insert
from edgeopt.forms.exit.confidence import KINDS
from edgeopt.forms.exit.fitted import MARGIN, Candidates, Exits
from edgeopt.forms.exit.head import Head
from edgeopt.forms.exit.points import hindrance, places
from edgeopt.forms.exit.record import record
from edgeopt.forms.exit.threshold import Goal
from edgeopt.forms.form import Axis, Evidence, Form, Leaving, Session, Unsuited
from edgeopt.ir import Graph
from edgeopt.rewrite import Context

SAMPLES = 32
FLOAT_BYTES = 4


class EarlyExit:
    """Small classifiers inside a network that is left where one of them is sure. It comes last: it reads what others left."""

    name = "exit"
    axis: Axis = "exit"
    about = "small classifiers inside the network, which samples leave where one is sure; needs data"
    done = "given early exits"
    passes: tuple[str, ...] = ("insert_exits",)

    def form_keys(self) -> Sequence[str]:
        """By how it is told that one is sure."""
        return [self.first(), *(f"exit-{kind}" for kind in KINDS if kind != MARGIN)]

    def first(self) -> str:
        """The distance between the two largest probabilities."""
        return f"exit-{MARGIN}"

    def finer(self, key: str) -> Sequence[str]:
        """None: the threshold keeps the budget."""
        return ()

    def opset(self, keys: Sequence[str]) -> int:
        """Any."""
        return 0

    def obstacle(self, graph: Graph) -> str:
        """There must be a place to leave it."""
        return hindrance(graph)

    def left(self, graph: Graph) -> Sequence[str]:
        """Places that are not taken are no loss."""
        return []

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """With data to fit heads on, and other data to choose a threshold on."""
        return ExitSession(self, evidence, tuple(keys))


@dataclass(frozen=True)
class Fitted:
    """``heads`` by the node whose value they read, and the ``exits`` that were made of them, None where none pays."""

    heads: Mapping[str, Head]
    exits: Exits | None = None


@dataclass(eq=False)
class ExitSession:
    """Heads are fitted once, on the calibration data of the evidence; the threshold is chosen on half of its ``data``.

    Raises Unsuited as Candidates do, when something is solved.
    """

    technique: EarlyExit
    evidence: Evidence
    keys: tuple[str, ...]
    _known: dict[str, Candidates] = field(default_factory=dict)

    @property
    def inputs(self) -> DataSet:
        """The calibration data, or generated inputs."""
        return self.evidence.calibration or generated(self.evidence.graph, SAMPLES)

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """Every place, known by the node that computes what is read there."""
        return {name: [Form(self.technique.name, key) for key in self.keys] for name in self._places}

    @cached_property
    def _places(self) -> list[str]:
        return [point.node.name for point in places(self.evidence.graph)]

    def refusals(self) -> Mapping[str, str]:
        """None: what is no place is not of its kind."""
        return {}

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> Fitted:
        """The exits at some of these places that save most; ``under`` is in the graph already, since exits come last."""
        candidates = self._candidates(forms)
        numbers = [i for i, name in enumerate(self._places) if name in forms]
        sets = [tuple(numbers[first:]) for first in range(len(numbers))]
        found = candidates.decide(Goal(self.evidence.max_drop), candidates.seed, sets)
        nodes = [] if found is None else [point.node.name for point in found.points]
        return Fitted({} if found is None else dict(zip(nodes, found.heads, strict=True)), found)

    def _candidates(self, forms: Mapping[str, Form]) -> Candidates:
        (key,) = {form.key for form in forms.values()}
        data, calibration = self.evidence.data, self.evidence.calibration
        if data is None or calibration is None:
            raise Unsuited("heads are fitted and their threshold is chosen on data, and there is none")
        if key not in self._known:
            kind = key.removeprefix("exit-")
            self._known[key] = Candidates(
                self.evidence.graph, calibration, data, confidence=kind, hierarchical=True, reference=self.evidence.reference
            )
        return self._known[key]

    def alone(self, forms: Mapping[str, Form]) -> Fitted:
        """The plain heads at these places, by themselves."""
        found = self._candidates(forms)
        heads = {name: found.heads[numbers[0]] for name, numbers in zip(self._places, found.places, strict=True)}
        return Fitted({name: heads[name] for name in forms})

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> Fitted:
        """The solution itself."""
        return self.solve(forms, under)

    def leaving(self, solution: Fitted) -> Leaving | None:
        """What happens at the exits, on samples that chose nothing; None where none pays."""
        found = solution.exits
        if found is None:
            return None
        nodes = [point.node.name for point in found.points]
        shares = dict(zip(nodes, found.reported.shares, strict=False))
        heads = frozenset(name for one in found.exits for name in head_names(one))
        return Leaving(shares, found.reported.macs, found.reporting, record(found), heads)

    def overlay(self, solution: Fitted, layers: Sequence[str] | None = None) -> Overlay:
        """Nothing: where a sample leaves, no value of the network becomes another one."""
        return Overlay()

    def errors(self, solution: Fitted) -> Mapping[str, float]:
        """The share of samples held out of the fit that the head at a place gets wrong."""
        return {name: 1.0 - head.accuracy for name, head in solution.heads.items()}

    def carry_out(self, graph: Graph, solution: Fitted, context: Context) -> None:
        """Run the pass."""
        if solution.exits is not None:
            insert(graph, solution.exits.exits, context)

    def completed(self, solution: Fitted) -> Fitted:
        """Readers want nothing besides."""
        return solution

    def remarks(self, graph: Graph) -> Sequence[str]:
        """Nothing to say."""
        return []

    def sizes(self, solution: Fitted) -> Mapping[str, int]:
        """Bytes of the weights of each head."""
        return {name: FLOAT_BYTES * head.parameters for name, head in solution.heads.items()}

    def title(self, taken: Collection[str]) -> str:
        """What is done to the network."""
        return self.technique.done
