"""Which layer costs the accuracy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet, admit, generated, read
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.examine.advice import advice
from edgeopt.forms.applied import Solved
from edgeopt.forms.form import Evidence
from edgeopt.forms.quantize.technique import plain_session
from edgeopt.forms.registry import leaving, techniques, wanted
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grid import SCHEMES
from edgeopt.ops.grids import linear_nodes
from edgeopt.progress import stage
from edgeopt.rewrite import Context
from edgeopt.search.goal import Goal
from edgeopt.search.samples import Data
from edgeopt.search.sketch import exact_graph, facts_of, opened
from edgeopt.search.space import Space, merged
from edgeopt.search.why import LayerBlame, blame, metric_change, suggestion
from edgeopt.target import Target
from edgeopt.target import target as find_target

LEVEL = 3  # times are those of what -O3 compiles


@dataclass(frozen=True)
class Losses:
    """``signal_to_noise`` of the whole changed network in decibel, a ``suggestion``, and the ``layers``, the worst first.

    ``samples`` is the number of those that the figures are of, ``change`` the percentage points of accuracy (without labels: of
    equal decisions) that the whole network gains by it; ``advice`` says what to change for a point, for time, for bytes.
    """

    signal_to_noise: float
    suggestion: str
    layers: tuple[LayerBlame, ...]
    samples: int
    change: float = 0.0
    advice: tuple[str, ...] = ()


def why(
    model: str | Path,
    data: Data | None = None,
    calibration: Data | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    target: str | Target = "host",
    quantize: str = "w8a8",
    forms: str | None = None,
    samples: int = 64,
    accept_chance: bool = False,
) -> Losses:
    """What quantising each layer of the ONNX file ``model`` does to its own output and to the decisions of the network.

    ``forms`` names techniques or forms, with commas, in place of the scheme ``quantize``: all layers that can take them do.
    ``data`` evaluates, ``calibration`` gives the ranges (a part of ``data`` when left out); both are npz files or DataSets.
    Without data the figures are those of generated inputs. ``samples`` bounds those that each layer is evaluated on. Times are
    measured for the host, and estimated for another ``target``. Raises EdgeoptError for wrong arguments, data that does not fit
    the model, and, unless ``accept_chance``, a float model that is right no more often than guessing.
    """
    arguments.instance("model", model, (str, Path))
    arguments.choice("quantize", quantize, SCHEMES)
    arguments.whole("samples", samples, 1)
    arguments.shapes(shapes)
    arguments.instance("target", target, (str, Target))
    facts = target if isinstance(target, Target) else find_target(target)
    keys = {"quantize": [quantize]} if forms is None else _keys(forms)
    graph, statistics = exact_graph(load(model, shapes), keys, Context())
    refuse_infinite(linear_nodes(graph))
    calibrating, evaluation = _data(graph, data, calibration)
    evaluation = evaluation.subset(samples)
    stage("running the float network")
    reference = outputs(graph, evaluation)
    check_reference(reference, evaluation.labels, accept_chance)
    stage("choosing how to approximate")
    evidence = Evidence(graph, calibrating, {} if forms is None else statistics, **facts_of(facts))
    solved = _quantised(evidence, quantize) if forms is None else _changed(evidence, keys, facts)
    stage("verifying on the samples")
    whole, rows = blame(graph, solved, evaluation, facts, LEVEL)
    change = metric_change(outputs(graph, evaluation, merged(solved)), reference, evaluation)
    left = [line for name in keys for line in techniques()[name].left(graph)]
    said = "; ".join([suggestion(whole, rows), *left])
    return Losses(whole, said, tuple(rows), evaluation.samples, change, advice(rows, change))


def _keys(forms: str) -> dict[str, list[str]]:
    first = wanted(forms)
    if last := leaving(first)[0]:
        raise EdgeoptError(
            f"{next(iter(last))} is no form of a layer, and no layer is to blame for it: `edgeopt exits` judges it"
        )
    return {name: [key] for name, key in first.items()}


def _quantised(evidence: Evidence, scheme: str) -> Solved:
    session = plain_session(evidence, scheme)
    return [(session, session.solve({layer: forms[0] for layer, forms in session.offers().items()}, Overlay()))]


def _changed(evidence: Evidence, keys: Mapping[str, list[str]], facts: Target) -> Solved:
    """All layers in the first form that they can take of each technique. Raises EdgeoptError where none can."""
    sessions = opened(evidence, dict(keys))
    if not sessions:
        listed = ", ".join(key for ones in keys.values() for key in ones)
        raise EdgeoptError(f"no layer of graph '{evidence.graph.name}' can take {listed}")
    space = Space(evidence.graph, Goal(facts, LEVEL), sessions)
    return space.solve(space.first())


def _data(graph: Graph, data: Data | None, calibration: Data | None) -> tuple[DataSet, DataSet]:
    """(what calibrates, what evaluates)."""
    evaluation = generated(graph) if data is None else _read("data", data, graph)
    if calibration is not None:
        return replace(_read("calibration", calibration, graph), output=evaluation.output), evaluation
    return evaluation.split()


def _read(name: str, source: Data, graph: Graph) -> DataSet:
    arguments.instance(name, source, (str, Path, DataSet))
    if isinstance(source, DataSet):
        return admit(source, graph)
    arguments.file(name, source)
    return read(source, graph)
