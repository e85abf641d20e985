"""What quantization makes of layers as they are now, each in its form: where a phase that quantizes starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form, Session
from edgeopt.forms.product_quantize.rates import RATES
from edgeopt.forms.product_quantize.session import INT8, ProductPlan
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize.technique import DEFAULT, plain_session
from edgeopt.ops.grid import SCHEMES
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.training.layers import Layers
from edgeopt.training.narrow import BASE, NARROW, narrowed
from edgeopt.training.recipe import TrainingRecipe

ANY_OPSET = {"prune": ["unstructured-50"]}  # a form that needs no operator, for graphs whose opset may stay as it is


def keys_of(recipe: TrainingRecipe) -> dict[str, list[str]]:
    """The forms that a recipe needs, by technique: what the opset has to have."""
    words = [form for _, form in recipe.forms] + ([recipe.ends] if recipe.ends else [])
    if not words:
        return ANY_OPSET
    if any(word in RATES for word in words):
        return {"product_quantize": list(dict.fromkeys([*(word for word in words if word in RATES), INT8]))}
    return {"quantize": list(dict.fromkeys(BASE if word in NARROW else word for word in words))}


class Planner:
    """Grids, and codewords where the recipe asks for them, from calibration data."""

    def __init__(self, recipe: TrainingRecipe, evidence: Evidence) -> None:
        ((self._technique, keys),) = keys_of(recipe).items()
        self._recipe, product = recipe, self._technique == "product_quantize"
        self.session: Session = ProductQuantize().open(evidence, keys) if product else plain_session(evidence, *keys)

    def __call__(self, layers: Layers) -> QuantizationPlan:
        """The plan for the weights as they are; codewords are left in the ``tables`` of the layers."""
        wanted = self._wanted(layers)
        under = Overlay(constants=dict(layers.constants))
        found = self.session.solve({name: Form(self._technique, self._key(form)) for name, form in wanted.items()}, under)
        tables = dict(found.tables) if isinstance(found, ProductPlan) else {}
        plan: QuantizationPlan = found.plan if isinstance(found, ProductPlan) else found
        plan = replace(plan, weights={name: made for name, made in plan.weights.items() if name not in tables})
        for name, form in wanted.items():
            layers.forms[name].append(form)
            if form in NARROW and name in plan.weights:
                plan.weights[name] = narrowed(plan.weights[name], layers.constants[name, 1] * layers.kept(name), form)
        layers.tables = tables
        return plan

    def solution(self, layers: Layers) -> Any:
        """What was trained, as the technique has it."""
        return ProductPlan(layers.plan, layers.tables) if self._technique == "product_quantize" else layers.plan  # type: ignore[arg-type]

    def _wanted(self, layers: Layers) -> dict[str, str]:
        """The form of each layer that can have one; first and last may have one of their own."""
        names, offers = [n.name for n in layers.nodes], self.session.offers()
        forms = {name: form for name in names if (form := self._recipe.form(name)) is not None and name in offers}
        if self._recipe.ends:
            forms.update({name: self._recipe.ends for name in (names[0], names[-1]) if name in forms})
        keys = {name: {form.key for form in some} for name, some in offers.items()}
        return {name: form if self._key(form) in keys[name] else INT8 for name, form in forms.items()}

    def _key(self, form: str) -> str:
        """What the technique calls it."""
        if self._technique == "product_quantize":
            return INT8 if form in SCHEMES else form
        return BASE if form in NARROW else DEFAULT if form == INT8 else form
