"""A session for techniques that solve each layer by itself and are judged by the weight that stands for the solution."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form, Technique, titled
from edgeopt.ir import Array, Graph, Node
from edgeopt.rewrite import Context, Pass, run_pass

SAMPLES = 32


@dataclass(eq=False)
class PerLayer:
    """``suits`` says which layers it changes, ``solved`` what one becomes in a form, ``weight`` the float32 weight that this

    stands for and ``size`` the bytes it takes; ``make`` gives the pass that carries out solutions by layer.
    """

    technique: Technique
    evidence: Evidence
    keys: Sequence[str]
    suits: Callable[[Node], bool]
    solved: Callable[[Node, str], Any]
    weight: Callable[[Any], Array]
    size: Callable[[Any], int]
    make: Callable[[Mapping[str, Any]], Pass]
    _inputs: DataSet | None = None
    _known: dict[tuple[str, Form], Any] = field(default_factory=dict)

    @property
    def inputs(self) -> DataSet:
        """The calibration data, or generated inputs."""
        if self._inputs is None:
            self._inputs = self.evidence.calibration or generated(self.evidence.graph, SAMPLES)
        return self._inputs

    @property
    def layers(self) -> dict[str, Node]:
        """What it can change, by name."""
        return {n.name: n for n in self.evidence.graph.nodes if self.suits(n)}

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """Every form for every layer that suits."""
        forms = [Form(self.technique.name, key) for key in self.keys]
        return dict.fromkeys(self.layers, forms)

    def refusals(self) -> Mapping[str, str]:
        """None: what does not suit is not of its kind."""
        return {}

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> dict[str, Any]:
        """Each layer by itself, once."""
        layers = self.layers
        for name, form in forms.items():
            if (name, form) not in self._known:
                self._known[name, form] = self.solved(layers[name], form.key)
        return {name: self._known[name, form] for name, form in forms.items()}

    def alone(self, forms: Mapping[str, Form]) -> dict[str, Any]:
        """The solution itself."""
        return self.solve(forms, Overlay())

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> dict[str, Any]:
        """The solution itself."""
        return self.solve(forms, under)

    def overlay(self, solution: Mapping[str, Any], layers: Sequence[str] | None = None) -> Overlay:
        """The weights that the solutions stand for."""
        chosen = [name for name in solution if layers is None or name in layers]
        return Overlay(constants={(name, 1): self.weight(solution[name]) for name in chosen})

    def errors(self, solution: Mapping[str, Any]) -> Mapping[str, float]:
        """Measured on the inputs."""
        return output_errors(self.evidence.graph, list(solution), self.overlay(solution), self.inputs)

    def carry_out(self, graph: Graph, solution: Mapping[str, Any], context: Context) -> None:
        """Run the pass."""
        run_pass(graph, self.make(solution), context)

    def completed(self, solution: Mapping[str, Any]) -> Mapping[str, Any]:
        """Readers want nothing besides."""
        return solution

    def remarks(self, graph: Graph) -> Sequence[str]:
        """Nothing to say."""
        return []

    def sizes(self, solution: Mapping[str, Any]) -> Mapping[str, int]:
        """Bytes of each layer."""
        return {name: self.size(made) for name, made in solution.items()}

    def title(self, taken: Collection[str]) -> str:
        """The technique's word and the forms."""
        return titled(self.technique.done, self.keys, taken)
