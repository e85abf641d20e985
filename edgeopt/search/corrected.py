"""What error correction is worth: the network that was found, beside the same forms without it (as Wu et al. 2016 show it)."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.form import FLOAT, Solution
from edgeopt.ir import Graph
from edgeopt.search.result import Decision
from edgeopt.search.space import merged


@runtime_checkable
class Corrects(Protocol):
    """A session whose solutions correct errors, and that knows what work its forms leave."""

    def uncorrected(self, solution: Solution) -> Solution:
        """The same forms without correction."""

    def theoretical(self, graph: Graph) -> float | None:
        """How much less work than the exact network there is in ``graph``."""


def without_correction(graph: Graph, found: Decision, data: DataSet) -> float | None:
    """The metric of ``found``, in percent, without error correction, by a run in float; None where nothing was corrected."""
    if not any(isinstance(session, Corrects) for session, _ in found.solved):
        return None
    solved = [(s, s.uncorrected(made) if isinstance(s, Corrects) else made) for s, made in found.solved]
    made = outputs(graph, data, merged(solved))
    return metrics.agreement(made, outputs(graph, data)) if data.labels is None else metrics.accuracy(made, data.labels)


def comparison(found: Decision, graph: Graph) -> dict[str, Any] | None:
    """For the manifest: speed-ups of the finished ``graph``, what is lost, and what would be without correction."""
    session = next((s for s, _ in found.solved if isinstance(s, Corrects)), None)
    if session is None:
        return None
    before, after = found.costs[FLOAT], found.costs["result"]
    return {
        "theoretical": session.theoretical(graph),
        "speed_up": before.seconds / after.seconds,
        "measured": after.measured,
        "drop": found.before - found.after if found.samples else None,
        "uncorrected_drop": None if found.uncorrected is None else found.before - found.uncorrected,
    }
