"""What a network and the heads inside it say of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.metrics import decisions
from edgeopt.evaluate.observe import observe
from edgeopt.forms.exit.confidence import KINDS, probabilities
from edgeopt.forms.exit.head import Head
from edgeopt.forms.exit.points import Point
from edgeopt.ir import Array, Graph


class Seen:
    """Values at points, the network's answers, and what is right: labels, or its own decisions where there are none."""

    def __init__(self, graph: Graph, found: Sequence[Point], data: DataSet) -> None:
        name = judged(graph, data)
        arrays = observe(graph, [*(p.value.name for p in found), name], fitted(data, graph))
        self.values = [arrays[p.value.name] for p in found]
        self.final = arrays[name].reshape(len(arrays[name]), -1)
        self.targets: Array = decisions(self.final) if data.labels is None else data.labels
        self.right: Array = np.asarray(self.final.argmax(axis=1) == self.targets)


class Answers:
    """How sure each head is of each sample, by the kind of confidence, and whether it is right; ``end`` is of the network."""

    def __init__(self, heads: Sequence[Head], seen: Seen) -> None:
        logits = [head.logits(values) for head, values in zip(heads, seen.values, strict=True)]
        shares = [probabilities(answer) for answer in logits]
        self.sure: Mapping[str, list[Array]] = {kind: [of(p) for p in shares] for kind, of in KINDS.items()}
        self.right = [np.asarray(answer.argmax(axis=1) == seen.targets) for answer in logits]
        self.end = seen.right

    def of(self, kind: str, exits: Sequence[int], samples: Array) -> tuple[list[Array], list[Array]]:
        """(confidences at ``exits``, whether they and the end are right), of some samples."""
        sure = [self.sure[kind][i][samples] for i in exits]
        return sure, [*(self.right[i][samples] for i in exits), self.end[samples]]
