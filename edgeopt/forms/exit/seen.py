"""What a network and the heads inside it say of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.metrics import decisions
from edgeopt.evaluate.probe import Probe
from edgeopt.forms.exit.confidence import KINDS, probabilities
from edgeopt.forms.exit.head import Head
from edgeopt.forms.exit.points import Point
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.exit_features import Features


class Seen:
    """Features of the values at points, of each kind that is asked for there; the network's answers, and what is right: labels,

    or its own decisions where there are none. The values themselves, which may take gigabytes, are let go sample by sample.
    """

    def __init__(self, probe: Probe, names: Sequence[Mapping[Features, str]], output: str, data: DataSet) -> None:
        arrays = probe(data)
        self.features = [{kind: arrays[n] for kind, n in some.items()} for some in names]
        self.final = arrays[output].reshape(len(arrays[output]), -1)
        self.targets: Array = decisions(self.final) if data.labels is None else data.labels
        self.right: Array = np.asarray(self.final.argmax(axis=1) == self.targets)


def seen(graph: Graph, found: Sequence[Point], kinds: Sequence[Sequence[Features]], parts: Sequence[DataSet]) -> list[Seen]:
    """What is seen of each of the data sets ``parts``."""
    made, names = probed(graph, found, kinds)
    output = judged(graph, parts[0])
    probe = Probe(made, [output, *(n for some in names for n in some.values())])
    return [Seen(probe, names, output, part) for part in parts]


def probed(graph: Graph, found: Sequence[Point], kinds: Sequence[Sequence[Features]]) -> tuple[Graph, list[dict[Features, str]]]:
    """A copy of ``graph`` that also computes the ``kinds`` of features of each point, and their names there."""
    made = clone(graph)
    values = {out.name: out for node in made.nodes for out in node.outputs}
    names: list[dict[Features, str]] = []
    for point, some in zip(found, kinds, strict=True):
        value = values[point.value.name]
        assert value.producer is not None
        following = made.nodes[made.nodes.index(value.producer) + 1]
        names.append({kind: kind.attach(made, value, following, "seen").name for kind in some})
    return made, names


class Answers:
    """How sure each head is of each sample, by the kind of confidence, and whether it is right; ``end`` is of the network."""

    def __init__(self, heads: Sequence[Head], seen: Seen) -> None:
        logits = [head.logits(some) for head, some in zip(heads, seen.features, strict=True)]
        shares = [probabilities(answer) for answer in logits]
        self.sure: Mapping[str, list[Array]] = {kind: [of(p) for p in shares] for kind, of in KINDS.items()}
        self.right = [np.asarray(answer.argmax(axis=1) == seen.targets) for answer in logits]
        self.end = seen.right

    def of(self, kind: str, exits: Sequence[int], samples: Array) -> tuple[list[Array], list[Array]]:
        """(confidences at ``exits``, whether they and the end are right), of some samples."""
        sure = [self.sure[kind][i][samples] for i in exits]
        return sure, [*(self.right[i][samples] for i in exits), self.end[samples]]
