"""The session of techniques that put chains of layers in the place of single layers."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.moments import grouped
from edgeopt.forms.progress import progress
from edgeopt.forms.structure.bilinear import loss
from edgeopt.forms.structure.in_order import fitted_in_order
from edgeopt.forms.structure.metric import Metric, metrics_of, unweighted
from edgeopt.ir import Graph, Node
from edgeopt.ops.chain import Chains
from edgeopt.rewrite import Context, run_pass

if TYPE_CHECKING:
    from edgeopt.forms.structure.technique import Made, Structure

SAMPLES = 32
MOST = 0.3  # of the variance of the responses; a form that loses more is not worth a trial; chosen by hand
Solved = Mapping[str, "Made"]


class StructureSession:
    """Layers are solved one by one to choose among their forms, and then once more, in order, in the network that is chosen."""

    def __init__(self, technique: Structure, evidence: Evidence, keys: Sequence[str]) -> None:
        self._technique, self._evidence, self._keys = technique, evidence, tuple(keys)
        self._nodes = {n.name: n for n in evidence.graph.nodes}
        self._layers = {n.name: n for n in evidence.graph.nodes if self._costs(n)}
        self._inputs: DataSet | None = None
        self._metrics: Mapping[str, Metric] = {}
        self._together: dict[Hashable, tuple[Solved, Overlay]] = {}
        self._known: dict[tuple[str, str], Made] = {}

    @property
    def technique(self) -> Structure:
        """Whose session it is."""
        return self._technique

    @property
    def inputs(self) -> DataSet:
        """The calibration data, or generated inputs."""
        if self._inputs is None:
            self._inputs = self._evidence.calibration or generated(self._evidence.graph, SAMPLES)
        return self._inputs

    def _costs(self, node: Node) -> dict[str, int]:
        costs = {key: self._technique.cost(node, key) for key in self._keys}
        return {key: cost for key, cost in costs.items() if cost is not None}

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """The forms of each layer, those of least work first; none that errs more than ``MOST`` or than one of less work does."""
        pairs = [(name, key) for name, node in self._layers.items() for key in self._costs(node)]
        self._fit(pairs)
        found = {name: self._worthwhile(name) for name in self._layers}
        return {name: [Form(self._technique.name, key) for key in keys] for name, keys in found.items() if keys}

    def _worthwhile(self, name: str) -> list[str]:
        node, kept, least = self._layers[name], list[str](), MOST
        for _, key in sorted((cost, key) for key, cost in self._costs(node).items()):
            error = self._error(self._known[name, key], name)
            if error < least:
                kept, least = [*kept, key], error
        return kept

    def _error(self, made: Made, name: str) -> float:
        """The share of the variance of the responses that is lost; of the weights where no inputs are known."""
        lost = whole = 0.0
        for (layer, index), array in made.constants(name).items():
            node = self._nodes[layer]
            metric, weight = self._metrics.get(layer) or unweighted(node), node.constant(1)
            if index == 1 and weight is not None:
                lost += loss(grouped(node, weight - array), metric.second)
                whole += loss(grouped(node, weight), metric.second)
        return lost / max(whole, 1e-30)

    def refusals(self) -> Mapping[str, str]:
        """None: a layer that does not get cheaper is not of its kind."""
        return {}

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> Solved:
        """From input to output, each layer for what it gets from those that changed before, by this technique or ``under`` it."""
        data = self._evidence.calibration
        if data is None or not self._technique.joint:
            return self.alone(forms)
        key = (frozenset(forms.items()), frozenset((place, id(array)) for place, array in under.constants.items()))
        if key not in self._together:
            chosen, layers = {name: form.key for name, form in forms.items()}, {name: self._layers[name] for name in forms}

            def solve(node: Node, metric: Metric) -> Chains:
                return self._technique.solve(node, chosen[node.name], metric, True)

            made = fitted_in_order(self._evidence.graph, data, layers, solve, under)
            self._together[key] = (made, under)  # which keeps the arrays that the key names alive
        return self._together[key][0]

    def _fit(self, wanted: Sequence[tuple[str, str]]) -> None:
        self._metrics = metrics_of(self._evidence)
        for name, key in progress([w for w in wanted if w not in self._known], f"fitting {self._technique.name}"):
            self._known[name, key] = self._technique.solved(self._layers[name], key, self._metrics)

    def alone(self, forms: Mapping[str, Form]) -> Solved:
        """Each layer by itself, for the inputs that it has in the exact network; at hand since the forms were offered."""
        wanted = [(name, form.key) for name, form in forms.items()]
        self._fit(wanted)
        return {name: self._known[name, key] for name, key in wanted}

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> Solved:
        """The same, which is of the right size."""
        return self.alone(forms)

    def overlay(self, solution: Solved, layers: Sequence[str] | None = None) -> Overlay:
        """The weights and biases that the chains stand for."""
        chosen = {name: made for name, made in solution.items() if layers is None or name in layers}
        return Overlay({place: array for name, made in chosen.items() for place, array in made.constants(name).items()})

    def errors(self, solution: Solved) -> Mapping[str, float]:
        """Measured on the inputs."""
        return output_errors(self._evidence.graph, list(solution), self.overlay(solution), self.inputs)

    def carry_out(self, graph: Graph, solution: Solved, context: Context) -> None:
        """Run the pass."""
        run_pass(graph, self._technique.carried_out(solution), context)

    def completed(self, solution: Solved) -> Solved:
        """Readers want nothing besides."""
        return solution

    def remarks(self, graph: Graph) -> Sequence[str]:
        """Nothing to say."""
        return []

    def sizes(self, solution: Solved) -> Mapping[str, int]:
        """Bytes of the weights of each layer."""
        return {name: made.bytes for name, made in solution.items()}

    def title(self, taken: Collection[str]) -> str:
        """What is done to layers."""
        return self._technique.done
