"""What a search decided, and the same as JSON for the manifest and the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from edgeopt.evaluate.intervals import weighs_too_much
from edgeopt.forms.applied import Solved
from edgeopt.forms.form import FLOAT, Leaving, Solution
from edgeopt.ir import Array
from edgeopt.search.goal import Objective
from edgeopt.search.price import MORE, price, shown
from edgeopt.search.stored import LayerBytes
from edgeopt.search.timing import Profile, layer_name

LOSES = "loses too much"
UNTRIED = ", as far as there was time to try"


@dataclass(frozen=True)
class Held:
    """The metric ``before`` and ``after`` on ``samples`` that were kept apart, and the points that may be lost: ``reach`` by the

    interval of 95 % of pairs, ``bound`` by the one-sided one that a search is held to; None where nothing decides. The ``looks``
    at them: of more than one, those before the last told the search to go back.
    """

    samples: int
    before: float
    after: float
    reach: float | None
    bound: float | None
    looks: int = 1


@dataclass(frozen=True)
class Decision:
    """Solutions that fit their budget. ``forms`` names the form of every layer; ``given_back`` lose too much, ``slow`` cost more,

    ``refused`` do not fit the technique, with the reason. ``title`` says what happens to changed layers, ``scheme`` the form
    that was wanted for all. ``metric`` names what ``before`` and ``after`` measure, in percent, on ``samples`` samples;
    ``agreement`` is the percentage of equal decisions there. ``samples`` is 0 when there was no data to verify on. ``costs``
    holds the Profile of the exact network (``float32``), of the ``result``, and of what was ``rejected`` because it was not
    cheaper by the ``objective``, with all layers in the form that was wanted or, ``partly``, those that gain by it. ``errors``
    are those at the outputs of the layers, ``stored`` what they take where size was asked for. ``max_drop`` is the budget, if
    there was one. ``source`` are the bytes of the constants of the network that all began with, ``weights`` those of its layers.
    ``reference`` are the results that the drop is counted from. ``uncorrected`` is the metric without error correction, where
    that was asked for.
    Where samples are ``leaving`` early, the ``result`` costs what a mean inference does, and ``samples`` are those that chose
    no exit. ``reach`` are the points that may be lost, by the interval of 95 %; None where nothing decides. ``held`` is what was
    measured on samples that were kept apart from the search. ``tried`` are the metric and the figures, summed over layers, of the
    networks that a joint search measured; ``search`` is a digest of all that this search depends on but its bounds; it was
    ``late`` where its time was over before it ended.
    """

    solved: Solved
    title: str
    scheme: str
    forms: dict[str, str]
    given_back: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    metric: str = ""
    before: float = 0.0
    after: float = 0.0
    agreement: float = 0.0
    samples: int = 0
    costs: dict[str, Profile] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    max_drop: float | None = None
    stored: Sequence[LayerBytes] = ()
    source: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    reference: Array | None = field(default=None, repr=False, compare=False)
    uncorrected: float | None = None
    leaving: Leaving | None = field(default=None, compare=False)
    objective: Objective = "latency"
    reach: float | None = None
    held: Held | None = None
    tried: Sequence[Mapping[str, float]] = ()
    search: str = ""
    late: bool = False
    partly: bool = False

    @property
    def changed(self) -> list[str]:
        """The layers that are not left exact."""
        return [name for name, form in self.forms.items() if form != FLOAT]

    def solution(self, technique: str) -> Solution:
        """What a technique solved; None when it changes no layer."""
        return next((solution for session, solution in self.solved if session.technique.name == technique), None)

    def summary(self) -> str:
        """One line for the user."""
        before, after = self.costs[FLOAT], self.costs["result"]
        if rejected := self.costs.get("rejected"):
            where = " in the layers that gain by it" if self.partly else ""
            slower = f"{self.scheme}{where} would take {shown(rejected, self.objective)} against {shown(before, self.objective)}"
            more = "" if self.samples else "; with --data more forms are tried"
            size = "takes all layers" if self.partly else f"takes it, weights {_share(rejected.weights, self.source)}"
            return f"left in float: {slower}; --objective size {size}{more}"
        if not self.changed:
            return self._nothing()
        kind: Objective = "latency" if self.objective == "size" else self.objective
        speed = f"{shown(before, kind)} -> {shown(after, kind)} {'measured' if after.measured else 'estimated'}"
        layers = f"{len(self.changed)} of {len(self.forms)} layers; {speed}"
        if not self.samples:
            return f"{self.title} without data: {layers}; the loss is not verified"
        chosen = f"{self.title}: {layers}; {self.metric} {self.before:.2f} % -> {self.after:.2f} % on {self.samples} samples"
        chosen += "" if self.held is None else f"; {self._apart(self.held)}"
        return chosen + ("; the search was cut short by its time" if self.late else "")

    def _apart(self, held: Held) -> str:
        """What was measured on samples that the search did not see."""
        most = "" if held.reach is None else f", at most {held.reach:.2f} points lost (interval of 95 %)"
        seen = "the search did not see" if held.looks == 1 else f"the search asked {held.looks} times"
        return f"{held.before:.2f} % -> {held.after:.2f} % on {held.samples} others that {seen}{most}"

    def caution(self) -> str:
        """What to say where samples do not make the budget sure; "" where they do, or nothing changes."""
        held, most = self.held, self.max_drop or 0.0
        if held is None or held.bound is None or held.bound <= most or not self.changed:
            return self._few()
        unsure = f"of samples that the search did not see up to {held.bound:.1f} points may be lost (one-sided bound of 90 %)"
        return f"{unsure}, {most:g} are allowed; give more samples in --data, or a smaller --max-drop"

    def _few(self) -> str:
        """What to say where one sample weighs more than the budget, or than a point."""
        weight = 100 / max(1, self.samples)
        if self.reach is None or not self.changed or not weighs_too_much(self.samples, self.max_drop or 0.0):
            return ""
        judged = f"the budget of {self.max_drop or 0.0:g} points is judged on {self.samples} samples"
        return (
            f"{judged}, each of which is {weight:.2g} points: "
            f"up to {self.reach:.1f} points may be lost (interval of 95 %); give more samples in --data"
        )

    def _nothing(self) -> str:
        """Why every layer is left exact."""
        if not self.given_back:
            what = "has another form" if self.scheme == FLOAT else f"fits {self.scheme}"
            return f"left in float: no layer {what}: {next(iter(self.refused.values()), 'there is none')}"
        kept = f"the {self.metric} of {self.before:.2f} % on {self.samples} samples"
        budget = f"--max-drop {self.max_drop or 0.0:g}"
        return f"left in float: {self.scheme} keeps {kept} within {budget} in no layer that could be found"


def record(found: Decision) -> dict[str, Any]:
    """``totals``: Profile of the float network, the result and what was rejected. ``layers``: one entry per layer, in order.

    Percentages are None where nothing was measured.
    """
    measured = found.samples > 0
    return {
        "scheme": found.scheme,
        "metric": found.metric or None,
        "before": found.before if measured else None,
        "after": found.after if measured else None,
        "agreement": found.agreement if measured else None,
        "samples": found.samples,
        "max_drop": found.max_drop if measured else None,
        "reach": found.reach if measured else None,
        "tried": [dict(point) for point in found.tried],
        "search": found.search or None,
        "held": None if found.held is None else asdict(found.held),
        "source_weights": found.source,
        "totals": {name: _totals(profile) for name, profile in found.costs.items()},
        "layers": [_layer(found, name) for name in found.forms],
    }


def _finite(error: float | None) -> float | None:
    return error if error is not None and isfinite(error) else None


def _totals(profile: Profile) -> dict[str, Any]:
    return {**{key: value for key, value in asdict(profile).items() if key != "layers"}, "joule": profile.joule}


def _layer(found: Decision, name: str) -> dict[str, Any]:
    form, stem, rejected = found.forms[name], layer_name(name), found.costs.get("rejected")
    cost = (found.costs[FLOAT].layer(name), (rejected or found.costs["result"]).layer(name))
    less = price(cost[1], found.objective) < price(cost[0], found.objective)
    costs = f"{'the network ' if rejected is not None and less else ''}would {MORE[found.objective]}"
    why = "" if form != FLOAT else LOSES if name in found.given_back else costs
    return {
        "layer": stem,
        "form": form,
        "reason": found.refused.get(name, why + UNTRIED if why and found.late else why),
        "error": _finite(found.errors.get(name)),
        "float_seconds": cost[0].seconds,
        "seconds": cost[1].seconds,
        "float_bytes": found.weights.get(stem),
    }


def _share(after: int, source: int) -> str:
    return f"{after / max(source, 1):.2f} times as large as the model's"
