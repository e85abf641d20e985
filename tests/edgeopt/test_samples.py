"""The samples of a search: apart, or it is said that they are not."""

from __future__ import annotations

from edgeopt.frontend import load
from edgeopt.frontend.notes import notes
from edgeopt.search.samples import samples
from tests.edgeopt.test_exchange import classifier


def test_the_same_samples_for_both_are_named() -> None:
    model, data = classifier()
    half = data.take(slice(0, 400))
    for calibration, said in ((None, 0), (half, 0), (data, 1), (data.take(slice(0, 800)), 1)):
        graph = load(model)
        calibrating, evaluating = samples(graph, data, calibration)
        assert calibrating is not None and evaluating is not None
        assert sum("also judge" in note for note in notes(graph)) == said
