"""Quantization as a technique: its forms are the schemes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import prod

from edgeopt.evaluate.data import DataSet, generated
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Axis, Evidence, Form, Session, titled
from edgeopt.forms.quantize.combine import combined
from edgeopt.forms.quantize.data_free import covers, fitted_inputs, matched
from edgeopt.forms.quantize.export_grids import completed, float_nodes
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import fitting, make_plan, unfit
from edgeopt.forms.quantize.profiles import Profile, profile
from edgeopt.forms.quantize.recipe import Recipe, best_recipe
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.forms.quantize.recurrent import float_products, grids_of, integer, misfits, recurrent_nodes, rounded_weights
from edgeopt.forms.quantize.unquantized import note_of, unquantized
from edgeopt.ir import Graph
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grid import LIMITS, SCHEMES, QuantizationScheme, scheme, weights_alone
from edgeopt.ops.grids import QuantizationPlan, RecurrentGrids, quantizable_nodes
from edgeopt.ops.quantized_recurrent import integer_misfit
from edgeopt.passes import quantize, quantize_dynamic, quantize_recurrent
from edgeopt.rewrite import Context, run_pass

DEFAULT = "w8a8"
FINER = {"w8a8": ("w8a16",), "w4a8": ("w8a8", "w8a16"), "w4a4": ("w4a8", "w8a8")}
OPSETS = {"int4": 21, "uint4": 21, "int16": 21, "uint16": 21, "int2": 25, "binary": 25}
DYNAMIC_OPSET = 11
DATA_FREE_SAMPLES = 32
TIMED_SAMPLES = 2  # for ranges on which nothing depends but that there are some


class Quantize:
    """Integers of few bits in place of floats, in weights and mostly in what layers read."""

    name = "quantize"
    axis: Axis = "values"
    about = "weights and activations on integer grids, calibrated and repaired"
    done = "quantised"
    passes: tuple[str, ...] = ("equalize_activations", "quantize_dynamic", "quantize", "quantize_recurrent")

    def form_keys(self) -> Sequence[str]:
        """The names of the schemes."""
        return tuple(SCHEMES)

    def first(self) -> str:
        """int8."""
        return DEFAULT

    def finer(self, key: str) -> Sequence[str]:
        """Schemes of more bits."""
        return FINER.get(key, ())

    def opset(self, keys: Sequence[str]) -> int:
        """The opset that first has the types of these schemes."""
        schemes = [scheme(key) for key in keys]
        types = [OPSETS.get(t, 0) for s in schemes for t in (s.weights, s.activations)]
        return max(*types, DYNAMIC_OPSET if any(s.dynamic for s in schemes) else 0)

    def obstacle(self, graph: Graph) -> str:
        """There must be a product with constant weights."""
        known = quantizable_nodes(graph) or recurrent_nodes(graph)
        return "" if known else "it has no convolution, matrix product or recurrent layer with constant weights that can be codes"

    def left(self, graph: Graph) -> Sequence[str]:
        """The float products without an integer form, with the reasons."""
        found = unquantized(graph)
        return [note_of(found)] if found else []

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Choose the recipe on the calibration data, or what can be known without any. The graph may be equalised.

        Raises EdgeoptError for weights that are not finite.
        """
        refuse_infinite([*quantizable_nodes(evidence.graph), *recurrent_nodes(evidence.graph)])
        schemes = tuple(self.schemes(evidence, keys))
        if evidence.timed:
            return QuantizeSession(self, evidence, schemes, generated(evidence.graph, TIMED_SAMPLES))
        if evidence.calibration is None:
            return _without_data(self, evidence, schemes)
        if not _able(evidence):  # nothing but recurrent layers: there is no recipe for those
            return QuantizeSession(self, evidence, schemes, evidence.calibration)
        recipe = best_recipe(evidence.graph, evidence.calibration, schemes[0], evidence.method, evidence.exact)
        recipe.prepare(evidence.graph, evidence.calibration)
        return QuantizeSession(self, evidence, schemes, evidence.calibration, recipe)

    def schemes(self, evidence: Evidence, keys: Sequence[str]) -> list[QuantizationScheme]:
        """The schemes as the target multiplies them, or as the reader of a file wants them."""
        if evidence.reading is not None:
            return [self.reader(evidence).adapt(scheme(keys[0]))]
        return [scheme(key).signed() if evidence.signed else scheme(key) for key in keys]

    def reader(self, evidence: Evidence) -> Profile:
        """The runtime that will read the file."""
        named = evidence.reading.profile if evidence.reading is not None else ""
        return profile(named or ("arm" if evidence.signed else "x86"))


class QuantizeSession:
    """The plans of one search: one for each scheme that is used, of which each layer takes the part of its own form."""

    def __init__(
        self,
        technique: Quantize,
        evidence: Evidence,
        schemes: tuple[QuantizationScheme, ...],
        inputs: DataSet,
        recipe: Recipe | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        self._technique, self.graph, self.schemes, self._inputs = technique, evidence.graph, schemes, inputs
        self._evidence = evidence
        self._able = _able(evidence)
        self._recipe, self._overlay = recipe, overlay
        self._plans: dict[object, dict[str, QuantizationPlan]] = {}  # by what lies under them
        self._rough: dict[object, dict[str, QuantizationPlan]] = {}
        self._alive: list[Overlay] = []  # what lies under plans, whose identity names them
        self._grids: dict[tuple[str, str], RecurrentGrids] = {}  # by layer and type

    @property
    def technique(self) -> Quantize:
        """Quantization."""
        return self._technique

    @property
    def inputs(self) -> DataSet:
        """The calibration data, or generated inputs."""
        return self._inputs

    def offers(self) -> Mapping[str, Sequence[Form]]:
        """Every scheme for every layer with constant weights that can take it; for recurrent layers those of other weights."""
        named = {s: Form(self.technique.name, s.name) for s in self.schemes}
        different = {(s.weights, self._is_integer(s)): s for s in reversed(self.schemes)}
        offers = {n.name: [f for s, f in named.items() if fitting([n], s)] for n in quantizable_nodes(self.graph)}
        kept = {form: self._misfits(s) for s, form in named.items() if s in different.values()}
        offers |= {n.name: [form for form, lost in kept.items() if n.name not in lost] for n in recurrent_nodes(self.graph)}
        refused = self.refusals()
        return {name: forms for name, forms in offers.items() if forms and name not in refused}

    def refusals(self) -> Mapping[str, str]:
        """The layers that cannot take the first scheme."""
        return unfit(quantizable_nodes(self.graph), self.schemes[0]) | self._misfits(self.schemes[0])

    def _misfits(self, scheme: QuantizationScheme) -> dict[str, str]:
        """Recurrent layers that have no form in ``scheme``."""
        return misfits(self.graph, scheme, self._evidence.recurrent)

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> QuantizationPlan:
        """The plan for ``forms``; the plans of single schemes are made when they are first needed."""
        keys = {layer: form.key for layer, form in forms.items()}
        plans = self._plans.setdefault(self._named(under), {})
        for wanted in self.schemes:
            if wanted.name in keys.values() and wanted.name not in plans:
                plans[wanted.name] = self._make(wanted, under)
        return self._with_recurrent(combined(self.graph, plans, keys), keys, under)

    def _with_recurrent(self, plan: QuantizationPlan, keys: Mapping[str, str], under: Overlay) -> QuantizationPlan:
        wanted = {s.name: s for s in self.schemes}
        nodes = [n for n in recurrent_nodes(self.graph) if keys.get(n.name) in wanted]
        plan.recurrent = {n.name: rounded_weights(n, wanted[keys[n.name]], under) for n in nodes}
        for form in self.schemes:
            own = [n for n in nodes if keys[n.name] == form.name and self._is_integer(form) and not integer_misfit(n)]
            new = [n for n in own if (n.name, form.activations) not in self._grids]
            found = grids_of(self.graph, new, self._inputs, form)
            self._grids |= {(name, form.activations): grids for name, grids in found.items()}
            plan.recurrent_grids |= {n.name: self._grids[n.name, form.activations] for n in own}
        return plan

    def _is_integer(self, form: QuantizationScheme) -> bool:
        """Whether recurrent layers multiply integers in ``form``; a file for other runtimes has no operator for that."""
        return integer(form) and self._evidence.reading is None

    def _named(self, under: Overlay) -> object:
        self._alive.append(under)
        return frozenset((key, id(array)) for key, array in under.constants.items())

    def _make(self, wanted: QuantizationScheme, under: Overlay) -> QuantizationPlan:
        if self._recipe is None:  # no data: without an overlay nothing is known of the inputs of a layer
            known = self._overlay is not None
            how = Repairs(adaptive=known, compensate=False, correct_bias=known)
            return make_plan(self.graph, self.inputs, wanted, self._able, "minmax", how, self._overlay, under)
        return make_plan(self.graph, self.inputs, wanted, self._able, self._recipe.method, self._recipe.repairs, under=under)

    def alone(self, forms: Mapping[str, Form]) -> QuantizationPlan:
        """The plan itself: its repairs change little for layers that are judged one by one."""
        return self.solve(forms, Overlay())

    def rough(self, forms: Mapping[str, Form], under: Overlay) -> QuantizationPlan:
        """Weights rounded to nearest, ranges of generated inputs."""
        name = self._named(under)
        if name not in self._rough:
            how = Repairs(adaptive=False, compensate=False, correct_bias=False)
            few, able = generated(self.graph, TIMED_SAMPLES), self._able
            self._rough[name] = {s.name: make_plan(self.graph, few, s, able, "minmax", how, under=under) for s in self.schemes}
        keys = {layer: form.key for layer, form in forms.items()}
        return self._with_recurrent(combined(self.graph, self._rough[name], keys), keys, under)

    def overlay(self, solution: QuantizationPlan, layers: Sequence[str] | None = None) -> Overlay:
        """The rounded weights, and the rounding of what the layers read."""
        return overlay_of(self.graph, solution, layers)

    def errors(self, solution: QuantizationPlan) -> Mapping[str, float]:
        """The errors in the network that is quantised as a whole; layers carry them from then on."""
        if layers := {*solution.weights, *solution.recurrent}:
            solution.errors = output_errors(self.graph, layers, self.overlay(solution), self.inputs)
        return solution.errors

    def carry_out(self, graph: Graph, solution: QuantizationPlan, context: Context) -> None:
        """QuantizeLinear and DequantizeLinear around the layers, or their dynamic form."""
        for make in (quantize_dynamic.make, quantize.make, quantize_recurrent.make):
            run_pass(graph, make(solution), context)

    def completed(self, solution: QuantizationPlan) -> QuantizationPlan:
        """Grids for the results of layers, or for every value, as the reader wants."""
        first = self.schemes[0]
        if self._evidence.reading is None or self._evidence.calibration is None or not first.activations or first.dynamic:
            return solution
        everything = self.technique.reader(self._evidence).everything
        return completed(self.graph, solution, self.inputs, first, self._evidence.method, everything)

    def remarks(self, graph: Graph) -> Sequence[str]:
        """What a reader that wants everything rounded will find in float; recurrent layers whose products stay so."""
        reading = self._evidence.reading
        if reading is None and any(map(integer, self.schemes[:1])):
            lost = float_products(self.graph)
            return [f"codes of weights only: {name} ({reason})" for name, reason in lost.items()]
        if reading is None or not reading.profile or not self.technique.reader(self._evidence).everything:
            return []
        found = float_nodes(graph)
        return [f"left in float: {', '.join(found)}"] if found else []

    def sizes(self, solution: QuantizationPlan) -> Mapping[str, int]:
        """The codes, packed."""
        stored = {name: (w,) for name, w in solution.weights.items()} | solution.recurrent
        return {name: sum(-(-prod(w.codes.shape) * w.grid.bits // 8) for w in weights) for name, weights in stored.items()}

    def title(self, taken: Collection[str]) -> str:
        """The first scheme that layers took, and whether there are others."""
        rounds = any(s.activations or s.dynamic for s in self.schemes if not taken or s.name in taken)
        return titled("quantised", [s.name for s in self.schemes], taken) + ("" if rounds else ", weights only")


def _able(evidence: Evidence) -> list[str]:
    """The layers that may be changed."""
    return [n.name for n in quantizable_nodes(evidence.graph) if n.name not in evidence.exact]


def plain_session(evidence: Evidence, *keys: str) -> QuantizeSession:
    """A session with the usual recipe in place of one that is chosen on the data: for looking at layers, or training them.

    Raises EdgeoptError for weights that are not finite.
    """
    assert evidence.calibration is not None
    refuse_infinite([*quantizable_nodes(evidence.graph), *recurrent_nodes(evidence.graph)])
    technique = Quantize()
    schemes = tuple(technique.schemes(evidence, keys))
    recipe = Recipe(compensate=any(LIMITS.get(s.weights, (0, 1))[1] <= 7 for s in schemes))
    return QuantizeSession(technique, evidence, schemes, evidence.calibration, recipe)


def _without_data(technique: Quantize, evidence: Evidence, schemes: tuple[QuantizationScheme, ...]) -> QuantizeSession:
    """Activations too where batch normalisation recorded what they look like, else weights alone, rounded to nearest."""
    graph, statistics = evidence.graph, dict(evidence.statistics)
    inputs = generated(graph, DATA_FREE_SAMPLES)
    if covers(graph, statistics):
        inputs = fitted_inputs(graph, inputs, statistics)
        return QuantizeSession(technique, evidence, schemes, inputs, overlay=matched(graph, inputs, statistics))
    return QuantizeSession(technique, evidence, tuple(dict.fromkeys(map(weights_alone, schemes))), inputs)
