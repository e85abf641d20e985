"""Which layer costs the accuracy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeopt import arguments
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet, admit, generated, read
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence
from edgeopt.forms.quantize.technique import plain_session
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grid import SCHEMES
from edgeopt.ops.grids import linear_nodes
from edgeopt.rewrite import Context
from edgeopt.search.run import exact_graph
from edgeopt.search.samples import Data
from edgeopt.search.why import LayerBlame, blame, suggestion
from edgeopt.target import Target
from edgeopt.target import target as find_target

LEVEL = 3  # times are those of what -O3 compiles


@dataclass(frozen=True)
class Losses:
    """``signal_to_noise`` of the whole quantised network in decibel, a ``suggestion``, and the ``layers``, the worst first.

    ``samples`` is the number of those that the figures are of.
    """

    signal_to_noise: float
    suggestion: str
    layers: tuple[LayerBlame, ...]
    samples: int


def why(
    model: str | Path,
    data: Data | None = None,
    calibration: Data | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    target: str | Target = "host",
    quantize: str = "w8a8",
    samples: int = 64,
    accept_chance: bool = False,
) -> Losses:
    """What quantising each layer of the ONNX file ``model`` does to its own output and to the decisions of the network.

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
    graph, _ = exact_graph(load(model, shapes), {"quantize": [quantize]}, Context())
    refuse_infinite(linear_nodes(graph))
    calibrating, evaluation = _data(graph, data, calibration)
    evaluation = evaluation.subset(samples)
    check_reference(outputs(graph, evaluation), evaluation.labels, accept_chance)
    session = plain_session(Evidence(graph, calibrating, signed=facts.signed_bytes), quantize)
    solution = session.solve({layer: forms[0] for layer, forms in session.offers().items()}, Overlay())
    whole, rows = blame(graph, [(session, solution)], evaluation, facts, LEVEL)
    return Losses(whole, "; ".join([suggestion(whole, rows), *session.technique.left(graph)]), tuple(rows), evaluation.samples)


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
