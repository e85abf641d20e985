"""What a training is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from edgeopt.search.result import Decision
from edgeopt.search.samples import Data
from edgeopt.target import Target
from edgeopt.training.batches import Batches
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.train import Ended, Listener


@dataclass(frozen=True)
class Asked:
    """What is to be trained how: see ``edgeopt.tune``, whose arguments these are."""

    recipe: TrainingRecipe
    train: Data
    data: Data | None
    target: Target
    context: Context
    seed: int
    checkpoints: Path | None = None
    listener: Listener | None = None
    teacher: Graph | None = None
    minutes: float | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """The exact ``graph`` that was trained from, what was ``found`` for its layers in which ``phases``, and on which samples.

    ``original`` is the network that was followed, ``evaluation`` what is only measured on, if that was given.
    """

    graph: Graph
    found: Decision
    original: Graph
    batches: Batches
    evaluation: DataSet | None
    phases: tuple[Ended, ...]

    @property
    def steps(self) -> int:
        """Those of all phases."""
        return sum(phase.steps for phase in self.phases)
