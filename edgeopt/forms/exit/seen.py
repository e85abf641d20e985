"""What a network and the heads inside it say of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.metrics import decisions
from edgeopt.evaluate.probe import Probe
from edgeopt.forms.exit.confidence import KINDS, probabilities
from edgeopt.forms.exit.points import Point
from edgeopt.forms.form import Unsuited
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

    def refuse_unsuited(self, option: str, names: Sequence[str]) -> None:
        """Raise Unsuited where nothing can be learnt from the samples of ``option``: of one class, or with infinite numbers at

        the places that are called ``names``.
        """
        classes = np.unique(self.targets)
        if len(classes) == 1 or classes[0] < 0:
            said = f"are of the class {classes[0]}" if len(classes) == 1 else "include some of which the network decides nothing"
            raise Unsuited(f"the samples of {option} {said}; exits need several classes to tell apart")
        for name, some in zip(names, self.features, strict=True):
            if not all(np.isfinite(array).all() for array in some.values()):
                raise Unsuited(f"'{name}', where the network may be left, is not finite for some samples of {option}")


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
    """``logits`` [samples, classes] of each head, against the ``targets`` [samples]; ``end`` says where the network is right.

    ``base`` says where that is right from which losses count, the network itself unless given.
    """

    def __init__(self, logits: Sequence[Array], targets: Array, end: Array, base: Array | None = None) -> None:
        self.logits, self.targets, self.end = logits, targets, end
        self.base = end if base is None else base

    def of(self, kind: str, exits: Sequence[int], samples: Array, earlier: float = 0.0) -> tuple[list[Array], list[Array]]:
        """(confidences of ``kind`` at ``exits``, whether they, the end and the base are right), of some samples.

        ``earlier`` is the weight of what an exit hears from the one before it.
        """
        said = heard([self.logits[i][samples] for i in exits], earlier)
        right = [np.asarray(answer.argmax(axis=1) == self.targets[samples]) for answer in said]
        return [KINDS[kind](probabilities(answer)) for answer in said], [*right, self.end[samples], self.base[samples]]


def heard(logits: Sequence[Array], earlier: float) -> list[Array]:
    """Logits of hierarchical exits, each with ``earlier`` times those of the exit before it added.

    Adding a share of its log-probabilities would say the same: they differ by a number that all classes of a sample have.
    """
    return list(accumulate(logits, lambda before, own: own + earlier * before))
