"""A session for techniques that change weights layer after layer, each for the inputs that the changed layers before it give.

At a layer with weight W, inputs y of the exact network and inputs x of the changed one, the target W y is approached by
W E[y x^T] E[x x^T]^-1 (least squares). The technique finds rows near it under its constraint, and the bias takes what is left of
the mean. Without calibration data inputs count as having nothing to do with each other, and biases stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from edgeopt.coding import coded_size
from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form, Session, Technique, titled
from edgeopt.forms.responses import Responses
from edgeopt.forms.seen import Changed, Seen, array_of, corrected_bias, without_moments
from edgeopt.forms.walk import SAMPLES, Step, override, prepare, walk
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import linear_nodes
from edgeopt.rewrite import Context, Pass, run_pass

GENERATED = 16


class Solver(Technique, Protocol):
    """A technique that works in such a session."""

    def suits(self, node: Node, key: str) -> bool:
        """Whether the layer can take the form ``key``."""

    def grid(self, node: Node, key: str, weight: Array) -> Quantizer | None:
        """The grid that the form ``key`` puts a weight on that lies on none."""

    def prepared(self, seen: Seen, keys: Sequence[str]) -> Any:
        """What is worth finding once, in the exact network, for all of ``keys``."""

    def solved(self, seen: Seen, key: str, prepared: Any) -> Array:
        """The rows [groups, rows, K] of the layer in the form ``key``."""

    def make(self, solution: Mapping[str, Changed]) -> Pass:
        """The pass that carries out a solution."""


class OfWeights(Solver):
    """What techniques share that change the constant weights of products: they need no new operator, and leave none out."""

    def opset(self, keys: Sequence[str]) -> int:
        """Other weights are no operator."""
        return 0

    def obstacle(self, graph: Graph) -> str:
        """There must be a product with constant weights."""
        return "" if linear_nodes(graph) else "it has no convolution or matrix product with constant float32 weights"

    def left(self, graph: Graph) -> Sequence[str]:
        """Nothing of their kind."""
        return []

    def grid(self, node: Node, key: str, weight: Array) -> Quantizer | None:
        """None: weights keep their values."""
        return None

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Layer by layer. Raises EdgeoptError for weights that are not finite."""
        refuse_infinite(linear_nodes(evidence.graph))
        return Sequential(self.bound(evidence.graph, keys), evidence, keys)

    def bound(self, graph: Graph, keys: Sequence[str]) -> Solver:
        """Itself, with what its forms have to know of the whole ``graph``."""
        return self


class Sequential:
    """Solutions are known by the forms of a layer and of all before it, so that a repair solves again only what it changes."""

    def __init__(self, technique: Solver, evidence: Evidence, keys: Sequence[str]) -> None:
        self._technique, self.evidence, self.keys = technique, evidence, tuple(keys)
        self._inputs: DataSet | None = None
        self.prepared: dict[str, tuple[Seen, Any]] = {}
        self.steps: dict[object, Step] = {}  # of walks that this session comes first in
        self.responses = Responses()  # likewise
        self._rough: dict[object, Changed] = {}
        self._alive: list[object] = []  # what keys name by identity

    @property
    def technique(self) -> Technique:
        """Whose session it is."""
        return self._technique

    @property
    def inputs(self) -> DataSet:
        """The calibration data, or generated inputs."""
        if self._inputs is None:
            self._inputs = self.evidence.calibration or generated(self.evidence.graph, GENERATED)
        return self._inputs

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """The forms that suit each layer."""
        found = {}
        for node in linear_nodes(self.evidence.graph):
            forms = [Form(self.technique.name, key) for key in self.keys if self._technique.suits(node, key)]
            found.update({node.name: forms} if forms else {})
        return found

    def refusals(self) -> Mapping[str, str]:
        """None."""
        return {}

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> dict[str, Changed]:
        """Each layer for the inputs that the layers before it give, as they are in ``under`` and in ``forms``."""
        if self.evidence.calibration is None:
            return {n.name: self._alone(n, forms[n.name], under) for n in self._layers(forms)}
        return walk([(self, forms)], under)[0]

    def _layers(self, forms: Mapping[str, Form]) -> list[Node]:
        return [n for n in linear_nodes(self.evidence.graph) if n.name in forms]

    def name_of(self, under: Overlay) -> object:
        """Something to look up what is known of solutions ``under`` what other techniques did."""
        arrays = [*under.constants.items(), *under.quantizers.items()]
        self._alive.append(arrays)
        return tuple((key, id(array)) for key, array in arrays)

    def prepare(self, seen: Seen) -> None:
        """Keep a layer as it is seen in the exact network, and what is worth finding there."""
        keys = [key for key in self.keys if self._technique.suits(seen.node, key)]
        self.prepared[seen.node.name] = seen, self._technique.prepared(seen, keys)

    def changed(self, seen: Seen, key: str) -> Changed:
        """The layer in the form ``key``. A weight on a grid of an earlier axis keeps that, with the bias it has from there."""
        node, known = seen.node, self.prepared.get(seen.node.name)
        prepared = known[1] if known is not None and seen.h is not None else self._technique.prepared(seen, [key])
        present = array_of(node, seen.present)
        grid = self._technique.grid(node, key, present) if seen.grid is None else seen.grid
        rows = self._technique.solved(replace(seen, grid=grid), key, prepared)
        if seen.grid is not None:
            return Changed(array_of(node, rows), None, grid, present)
        return Changed(array_of(node, rows), corrected_bias(node, rows, seen.moments), grid)

    def _alone(self, node: Node, form: Form, under: Overlay) -> Changed:
        return self.changed(without_moments(node, under), form.key)

    def alone(self, forms: Mapping[str, Form]) -> dict[str, Changed]:
        """Each layer for the inputs of the exact network."""
        if self.evidence.calibration is None:
            return self.rough(forms, Overlay())
        layers = self._layers(forms)
        prepare([self], layers, self.evidence.calibration.subset(SAMPLES))
        return {n.name: self._by_exact_inputs(n, forms[n.name]) for n in layers}

    def _by_exact_inputs(self, node: Node, form: Form) -> Changed:
        known = self.prepared.get(node.name)
        return self._alone(node, form, Overlay()) if known is None else self.changed(known[0], form.key)

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> dict[str, Changed]:
        """Solutions by the weights alone."""
        name, layers = self.name_of(under), self._layers(forms)
        keys = {node.name: (name, node.name, forms[node.name]) for node in layers}
        new = [node for node in layers if keys[node.name] not in self._rough]
        made = side_by_side(lambda node: self._alone(node, forms[node.name], under), new)
        self._rough.update({keys[node.name]: changed for node, changed in zip(new, made, strict=True)})
        return {layer: self._rough[key] for layer, key in keys.items()}

    def overlay(self, solution: Mapping[str, Changed], layers: Sequence[str] | None = None) -> Overlay:
        """The changed weights and biases."""
        made = Overlay()
        for node in linear_nodes(self.evidence.graph):
            if node.name in solution and (layers is None or node.name in layers):
                override(made, node, solution[node.name])
        return made

    def errors(self, solution: Mapping[str, Changed]) -> Mapping[str, float]:
        """Measured on the inputs."""
        return output_errors(self.evidence.graph, list(solution), self.overlay(solution), self.inputs)

    def carry_out(self, graph: Graph, solution: Mapping[str, Changed], context: Context) -> None:
        """Run the pass."""
        run_pass(graph, self._technique.make(solution), context)

    def completed(self, solution: Mapping[str, Changed]) -> Mapping[str, Changed]:
        """Readers want nothing besides."""
        return solution

    def remarks(self, graph: Graph) -> Sequence[str]:
        """Nothing to say."""
        return []

    def sizes(self, solution: Mapping[str, Changed]) -> Mapping[str, int]:
        """Bytes of each layer as they are stored, coded by their entropy."""
        return {name: coded_size(made.stored) for name, made in solution.items()}

    def title(self, taken: Collection[str]) -> str:
        """The technique's word and the forms."""
        return titled(self.technique.done, self.keys, taken)
