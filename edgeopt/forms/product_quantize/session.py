"""One search with product quantisation: layers in codewords between layers in bytes, on the grids of their quantisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form, Technique, titled
from edgeopt.forms.product_quantize.rates import RATES, Rate
from edgeopt.forms.product_quantize.reconstruct import reconstruct
from edgeopt.forms.product_quantize.solve import Seen, solve
from edgeopt.forms.product_quantize.work import speed_up, theoretical
from edgeopt.forms.quantize.technique import QuantizeSession
from edgeopt.ir import Graph, Node
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.grids import QuantizationPlan, linear_nodes, quantizable_nodes
from edgeopt.passes import product_quantize, quantize
from edgeopt.rewrite import Context, run_pass

INT8 = "int8"
FEWEST = 16  # inputs and outputs; groups are multiples of it, so that they begin with a block of channels


@dataclass(frozen=True, eq=False)
class ProductPlan:
    """The plan of all layers in bytes, and what takes the place of the weights of some of them."""

    plan: QuantizationPlan
    tables: Mapping[str, LookupWeight]


class ProductSession:
    """``inner`` quantises the same layers to bytes; each rate is solved once, for all layers that suit, as if all had it."""

    def __init__(self, technique: Technique, evidence: Evidence, keys: Sequence[str], inner: QuantizeSession) -> None:
        self._technique, self.graph, self._keys, self._inner = technique, evidence.graph, keys, inner
        self._exact = evidence.exact
        self._solved: dict[str, dict[str, LookupWeight]] = {}

    @property
    def technique(self) -> Technique:
        """Product quantisation."""
        return self._technique

    @property
    def inputs(self) -> DataSet:
        """The calibration data."""
        return self._inner.inputs

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """Every rate for the layers that suit; bytes for all that can take them, also where they are not asked for."""
        found = {}
        for node in quantizable_nodes(self.graph):
            rates = [key for key in self._keys if key in RATES and suits(node)]
            last = [INT8] if INT8 in self._keys or not rates else []
            found[node.name] = [Form(self._technique.name, key) for key in [*rates, *last]]
        return found

    def refusals(self) -> Mapping[str, str]:
        """What bytes refuse."""
        return self._inner.refusals()

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> ProductPlan:
        """Codewords for the inputs that layers get when all before them are quantised."""
        plan = self._inner.solve(self._bytes(forms), under)
        for key in {form.key for form in forms.values()} - {INT8}:
            if key not in self._solved:
                able = [name for name in self.offers() if name not in self._exact]
                whole = self._inner.solve(self._bytes(dict.fromkeys(able)), under)
                nodes = [n for n in linear_nodes(self.graph) if suits(n) and n.name in able]
                self._solved[key] = reconstruct(self.graph, self.inputs, nodes, RATES[key], whole, under)
        return ProductPlan(plan, {n: self._solved[f.key][n] for n, f in forms.items() if f.key != INT8})

    def uncorrected(self, solution: ProductPlan) -> ProductPlan:
        """The same rates by k-means of the weights alone, to see what error correction is worth."""
        rates = {n: Rate(len(w.books), w.books.shape[3], w.books.shape[2]) for n, w in solution.tables.items()}
        nodes = [n for n in linear_nodes(self.graph) if n.name in rates]
        made = {n.name: solve(n, rates[n.name], Seen(None, None, self._scale(solution, n)), correct=False) for n in nodes}
        return ProductPlan(solution.plan, made)

    def _scale(self, solution: ProductPlan, node: Node) -> float:
        source = node.input(0)
        assert source is not None
        return float(solution.plan.activations[source.name].scale)

    def theoretical(self, graph: Graph) -> float | None:
        """How much less work than the exact network there is in ``graph``."""
        return theoretical(graph)

    def _bytes(self, layers: Mapping[str, object]) -> dict[str, Form]:
        return {name: Form(self._inner.technique.name, self._inner.schemes[0].name) for name in layers}

    def alone(self, forms: Mapping[str, Form]) -> ProductPlan:
        """The solution itself: what it makes up for changes little for layers that are judged one by one."""
        return self.solve(forms, Overlay())

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> ProductPlan:
        """Random codes."""
        nodes = {n.name: n for n in linear_nodes(self.graph)}
        made = {name: random_codes(nodes[name], RATES[form.key]) for name, form in forms.items() if form.key != INT8}
        return ProductPlan(self._inner.rough(self._bytes(forms), under), made)

    def overlay(self, solution: ProductPlan, layers: Sequence[str] | None = None) -> Overlay:
        """The weights that the codes stand for, and the rounding of what the layers read."""
        made, nodes = self._inner.overlay(solution.plan, layers), {n.name: n for n in linear_nodes(self.graph)}
        for name, weight in solution.tables.items():
            if layers is None or name in layers:
                made.constants[name, 1], made.parts[name, 1] = weight.array, (weight.codes, weight.books, weight.scale)
                made.grids.pop((name, 1), None)
                made.constants.pop((name, 2), None)
                if weight.bias is not None and nodes[name].input(2) is not None:
                    made.constants[name, 2] = weight.bias
        return made

    def errors(self, solution: ProductPlan) -> Mapping[str, float]:
        """In the network that is changed as a whole; layers carry them from then on."""
        if not solution.plan.errors:
            solution.plan.errors.update(output_errors(self.graph, solution.plan.weights, self.overlay(solution), self.inputs))
        return solution.plan.errors

    def carry_out(self, graph: Graph, solution: ProductPlan, context: Context) -> None:
        """QuantizeLinear and DequantizeLinear around all layers, then codewords."""
        others = {n: w for n, w in solution.plan.weights.items() if n not in solution.tables}
        run_pass(graph, quantize.make(replace(solution.plan, weights=others)), context)
        run_pass(graph, product_quantize.make(solution.tables, solution.plan.errors), context)

    def completed(self, solution: ProductPlan) -> ProductPlan:
        """Readers want nothing besides."""
        return solution

    def remarks(self, graph: Graph) -> Sequence[str]:
        """What look-ups leave of the work."""
        return [text for text in [speed_up(graph)] if text]

    def sizes(self, solution: ProductPlan) -> Mapping[str, int]:
        """Codes, codebooks and scales; the codes of the others."""
        return {**self._inner.sizes(solution.plan), **{name: made.stored for name, made in solution.tables.items()}}

    def title(self, taken: Collection[str]) -> str:
        """The rates."""
        return titled(self._technique.done, self._keys, taken)


def suits(node: Node) -> bool:
    """Whether codewords may stand for the weight of ``node``: enough inputs and outputs, whole blocks in a group."""
    weight = node.constant(1)
    if not node.is_own("FusedConv", "FusedGemm") or weight is None or weight.dtype != np.float32:
        return False
    if node.op == "FusedGemm":
        return weight.ndim == 2 and min(weight.shape) >= FEWEST
    group = node.integer("group", 1)
    blocks = group == 1 or (weight.shape[1] % FEWEST == 0 and weight.shape[0] // group % FEWEST == 0)
    return weight.ndim == 4 and min(weight.shape[0], weight.shape[1]) >= FEWEST and blocks


def random_codes(node: Node, rate: Rate) -> LookupWeight:
    """Something of the right sizes."""
    weight, rng = node.constant(1), np.random.default_rng(0)
    assert weight is not None
    dense = node.op == "FusedGemm"
    outputs, channels, taps = (*weight.shape[::-1], ()) if dense else (*weight.shape[:2], weight.shape[2:])
    spaces, group = -(-channels // rate.size), 1 if dense else node.integer("group", 1)
    codes = rng.integers(0, rate.words, (rate.books, outputs, spaces, *taps)).astype(np.uint8)
    books = np.clip(np.rint(rng.normal(0, 24, (rate.books, group * spaces, rate.words, rate.size))), -127, 127).astype(np.int8)
    scale = np.full(outputs, max(float(weight.std()), 1e-30) / 24, np.float32)
    return LookupWeight(codes, books, scale, channels, 8, node.constant(2), dense)
