"""A model that is to be planned, with what all its plans share: costs of layers, exits, codes of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import HEADS, DataSet, read_pair
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.exit.fitted import Candidates
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.match import shape_of
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.codes.picture import picture_layout
from edgeopt.partition.layer_costs import LayerCosts, estimated
from edgeopt.partition.profile import read_profile
from edgeopt.partition.tiers import Tier, Tiers
from edgeopt.pipeline import optimize


@dataclass(eq=False)
class Subject:
    """The optimised ``graph``; profiles that tiers name are looked for in ``folder``.

    ``samples`` are (calibration, evaluation). What takes long is done once, when it is first asked for: a network is estimated
    on a processor, heads of exits are fitted, and the code of a tensor is chosen.
    """

    graph: Graph
    folder: Path = Path()
    samples: tuple[DataSet, DataSet] | None = None
    _costs: dict[tuple[str, str], LayerCosts] = field(default_factory=dict)
    _coders: dict[float, Coder] = field(default_factory=dict)

    def costs(self, tier: Tier) -> LayerCosts:
        """What the layers cost on ``tier``. Raises EdgeoptError as ``read_profile`` and ``estimated`` do."""
        key = (tier.target, tier.profile)
        if key not in self._costs:
            profile = self.folder / tier.profile
            self._costs[key] = read_profile(profile, self.graph) if tier.profile else estimated(self.graph, tier)
        return self._costs[key]

    def slowness(self, tiers: Tiers) -> list[float]:
        """How many times as long as this machine each tier computes, by the cost model of processors; 1 where that cannot say."""
        bare = [Tier(tier.name, tier.target) for tier in (Tier("here", "host"), *tiers.tiers)]
        here, *known = [self._seconds(tier) for tier in bare]
        return [seconds / here if here and seconds else 1.0 for seconds in known]

    def _seconds(self, tier: Tier) -> float:
        with suppress(EdgeoptError):  # a network with nodes that have no kernel
            return sum(self.costs(tier).seconds.values())
        return 0.0

    def coder(self, max_drop: float) -> Coder | None:
        """Codes within ``max_drop`` points; None without samples. Raises EdgeoptError as Coder does."""
        if self.samples is not None and max_drop not in self._coders:
            self._coders[max_drop] = Coder(self.graph, *self.samples, max_drop)
        return self._coders.get(max_drop)

    @property
    def measures_pictures(self) -> bool:
        """Whether there are samples of a single input that looks like a picture, which others send as JPEG."""
        shape = shape_of(self.graph.inputs[0]) if len(self.graph.inputs) == 1 else None
        return self.samples is not None and shape is not None and picture_layout(shape) is not None

    @cached_property
    def candidates(self) -> Candidates:
        """Where samples may leave. Raises EdgeoptError without samples, and as Candidates do."""
        if self.samples is None:
            raise EdgeoptError("exits are fitted to data; give --data")
        return Candidates(self.graph, *self.samples)


def subject(
    model: str | Path | ModelProto | Graph,
    shapes: Mapping[str, Sequence[int]] | None = None,
    folder: Path = Path(),
    data: str | Path | DataSet | None = None,
    calibration: str | Path | DataSet | None = None,
    accept_chance: bool = False,
) -> Subject:
    """``model``, optimised exactly, with its data; half of them are the calibration where none is given.

    Raises EdgeoptError for a model that cannot be read, for data that do not fit it, and, unless ``accept_chance``, for a network
    that is right on them no more often than guessing.
    """
    arguments.instance("model", model, (str, Path, ModelProto, Graph))
    graph = model if isinstance(model, Graph) else load(model, shapes)
    optimize(graph)
    if data is None:
        return Subject(graph, folder)
    samples = read_pair(data, calibration, graph, HEADS)
    check_reference(outputs(graph, samples[1]), samples[1].labels, accept_chance)
    return Subject(graph, folder, samples)
