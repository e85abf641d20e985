"""What is to be small: the distance to the outputs of the original network, and to the labels where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import judged
from edgeopt.ir import Array, Graph
from edgeopt.ir.match import dtype_of
from edgeopt.training.operators.definition import Traced

TEMPERATURE = 4.0
TEACHER = 0.9  # weight of the original network beside labels (Hinton et al., Distilling the Knowledge, 2015)


@dataclass(frozen=True)
class Loss:
    """``value`` names what is compared: the logits in front of a last softmax, else the output that is judged.

    ``classes``: it is compared as a distribution over its last axis, else number by number. ``others`` are outputs beside the one
    that is judged, which have to stay what they are.
    """

    value: str
    classes: bool
    teacher: float
    others: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All values that are compared, the one that is judged first."""
        return [self.value, *self.others]

    def whole(self, made: Sequence[Traced], wanted: Sequence[Traced], labels: Traced | None) -> Traced:
        """That of all values in ``names``; labels are for the first."""
        return self.of(made[0], wanted[0], labels) + sum(map(_distance, made[1:], wanted[1:]))

    def of(self, made: Traced, wanted: Traced, labels: Traced | None) -> Traced:
        """The mean over a batch: ``made`` by the network in training, ``wanted`` by the original one, both [batch, ...]."""
        if not self.classes:
            return _distance(made, wanted)
        made = made.reshape(len(made), -1)
        if labels is not None and not self.teacher:
            return self._wrong(made, labels)
        wanted = wanted.reshape(len(wanted), -1)
        soft = jax.nn.softmax(wanted / TEMPERATURE)
        distance = jnp.sum(soft * (jax.nn.log_softmax(wanted / TEMPERATURE) - jax.nn.log_softmax(made / TEMPERATURE)), 1)
        total = self.teacher * TEMPERATURE**2 * jnp.mean(distance)
        return total if labels is None else total + (1 - self.teacher) * self._wrong(made, labels)

    def follows(self, labels: Array | None) -> bool:
        """Whether it asks for what the original network says."""
        return not self.classes or labels is None or self.teacher > 0 or bool(self.others)

    @staticmethod
    def _wrong(made: Traced, labels: Traced) -> Traced:
        """The mean of -log of the share that the right class has."""
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(made), labels[:, None], 1))


def _distance(made: Traced, wanted: Traced) -> Traced:
    return jnp.mean(jnp.square(made - wanted)) / (jnp.mean(jnp.square(wanted)) + 1e-12)


def loss_of(graph: Graph, data: DataSet, teacher: float = TEACHER) -> Loss:
    """The loss for ``data``; without labels only the original network is followed, whose other outputs are so in any case."""
    name = judged(graph, data)
    others = [v.name for v in graph.outputs if v.name != name and not v.is_constant and dtype_of(v) == "float32"]
    value = next(v for v in graph.outputs if v.name == name)
    softmax = value.producer is not None and value.producer.is_op("Softmax")
    dims = value.type.dims if value.type is not None else ()
    vector = len([d for d in dims if d != 1]) == 1
    if softmax and value.producer is not None and value.producer.input(0) is not None:
        name = value.producer.inputs[0].name  # type: ignore[union-attr]
    return Loss(name, (softmax or data.labels is not None) and vector, 1.0 if data.labels is None else teacher, tuple(others))
