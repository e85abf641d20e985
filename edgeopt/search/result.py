"""What was decided, as JSON for the manifest and the reports."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from edgeopt.forms.quantize.combine import FLOAT
from edgeopt.search.choice import Quantization
from edgeopt.search.timing import Profile, layer_name

LOSES, SLOW, SLOW_NETWORK = "loses too much", "would be slower", "the network would be slower"


def record(found: Quantization) -> dict[str, Any]:
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
        "totals": {name: _totals(profile) for name, profile in found.costs.items()},
        "layers": [_layer(found, name) for name in found.forms],
    }


def _finite(error: float | None) -> float | None:
    return error if error is not None and isfinite(error) else None


def _totals(profile: Profile) -> dict[str, Any]:
    return {key: value for key, value in asdict(profile).items() if key != "layers"}


def _layer(found: Quantization, name: str) -> dict[str, Any]:
    form, stem, rejected = found.forms[name], layer_name(name), found.costs.get("rejected")
    before, after = found.costs[FLOAT].layer(name), (rejected or found.costs["result"]).layer(name)
    reason = SLOW_NETWORK if rejected is not None and after < before else SLOW
    return {
        "layer": stem,
        "form": form,
        "reason": found.unfit.get(name, LOSES if name in found.given_back else reason if form == FLOAT else ""),
        "error": _finite(found.plan.errors.get(name)),
        "float_seconds": before,
        "seconds": after,
    }
