"""Does quantization pay, layer by layer?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeopt import arguments
from edgeopt.frontend import load
from edgeopt.ops.grid import SCHEMES
from edgeopt.report.times import measurable
from edgeopt.search.sketch import sketched
from edgeopt.search.timing import profiles
from edgeopt.target import Target
from edgeopt.target import target as find_target


@dataclass(frozen=True)
class LayerGain:
    """Seconds of one layer, or of all, in float and quantised."""

    layer: str
    float_seconds: float
    seconds: float

    @property
    def pays(self) -> bool | None:
        """Whether the quantised form is faster; None where one of both takes too little time to tell."""
        return self.seconds < self.float_seconds if measurable(self.float_seconds, self.seconds) else None


@dataclass(frozen=True)
class Gains:
    """Of every layer and of the ``total``; ``measured`` on this machine, or estimated for another."""

    target: str
    scheme: str
    measured: bool
    layers: tuple[LayerGain, ...]
    total: LayerGain


def gains(
    model: str | Path,
    quantize: str = "w8a8",
    level: int = 1,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    target: str | Target = "host",
) -> Gains:
    """Time every layer of the ONNX file ``model`` in float and in the scheme ``quantize`` on ``target``, compiled at ``level``.

    Generated inputs will do, since times do not depend on the ranges. Raises EdgeoptError for wrong arguments and a model that
    cannot be quantised.
    """
    arguments.instance("model", model, (str, Path))
    arguments.choice("quantize", quantize, SCHEMES)
    arguments.whole("level", level, 0, 3)
    arguments.shapes(shapes)
    facts = target if isinstance(target, Target) else find_target(target)
    graph, changed = sketched(load(model, shapes), quantize, facts, level)
    found = profiles({"before": graph, "after": changed}, facts, level)
    before, after = found["before"], found["after"]
    layers = tuple(LayerGain(n, before.layers[n].seconds, after.layers[n].seconds) for n in before.layers if n in after.layers)
    return Gains(facts.name, quantize, after.measured, layers, LayerGain("", before.seconds, after.seconds))
