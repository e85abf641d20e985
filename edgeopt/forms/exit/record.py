"""What was decided about exits, as JSON for the manifest and for whoever reads it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgeopt.forms.exit.fitted import Exits


def record(found: Exits) -> dict[str, Any]:
    """The exits in order, their one threshold, and what happens to samples: those that chose it, and others.

    ``end`` is the depth of the network's own end, whose samples asked every head; ``before`` the metric that losses count from,
    in percent, on the latter samples; ``curve`` all thresholds on the former.
    """
    return {
        "exits": [
            {"value": e.value, "depth": d, "features": str(e.features), "earlier": e.earlier}
            for e, d in zip(found.exits, found.depths, strict=False)
        ],
        "end": found.depths[-1],
        "confidence": found.confidence,
        "threshold": found.chosen.threshold,
        "before": found.before,
        "chosen": asdict(found.chosen),
        "reported": asdict(found.reported),
        "curve": [asdict(point) for point in found.curve],
    }
