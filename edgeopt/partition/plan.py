"""Planning a model over tiers: the best cuts, what they are compared with, and what is best on other links and busier servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from onnx import ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.exit.fitted import Candidates
from edgeopt.forms.exit.threshold import Goal
from edgeopt.ir import Graph
from edgeopt.ir.match import shape_of
from edgeopt.partition.coded import Coding, coded, coded_cut, sends
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.codes.picture import picture_layout
from edgeopt.partition.cut import Cut, best_cut
from edgeopt.partition.leaving import Leaving, cut_short, leaving, right_sized
from edgeopt.partition.network import INPUT, Network
from edgeopt.partition.prices import Objective, Price, energy_rates, latency_rates, price
from edgeopt.partition.stages import network
from edgeopt.partition.subject import Subject, subject
from edgeopt.partition.tiers import Tiers

RATES = tuple(2.0**power for power in range(-6, 7))  # of the first link, as multiples of what the file of tiers says
BITS_PER_PIXEL = 1.5  # of a photograph as JPEG of middling quality
LOADS = (1.0, 2.0, 4.0, 8.0)  # of all tiers but the first


@dataclass(frozen=True)
class Row:
    """What is best when the first link runs at ``rate`` times its speed and servers are ``load`` times as busy."""

    rate: float
    load: float
    cut: Cut


@dataclass(frozen=True)
class Plan:
    """The optimised ``graph``, its best ``cut``, the ``baselines`` by name, and the ``table`` over rates and loads.

    ``origins`` says for each tier where its costs come from; ``coding`` how tensors are coded, if they are; ``uploads`` the bytes
    of the input as others send it. ``leaving`` are its early exits, without which ``plain`` is the network of the baselines.
    """

    graph: Graph
    network: Network
    tiers: Tiers
    objective: Objective
    cut: Cut
    baselines: Mapping[str, Price]
    table: tuple[Row, ...]
    origins: tuple[str, ...]
    coding: Coding | None = None
    uploads: Mapping[str, float] = field(default_factory=dict)
    leaving: Leaving | None = None
    plain: Network = Network((), ())


def plan(
    model: str | Path | ModelProto | Graph | Subject,
    tiers: Tiers,
    objective: Objective = "latency",
    deadline: float | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    folder: Path = Path(),
    data: str | Path | DataSet | None = None,
    calibration: str | Path | DataSet | None = None,
    max_drop: float = 1.0,
    exits: bool = False,
) -> Plan:
    """Place the layers of ``model`` on ``tiers`` so that ``objective`` is least and the latency at most ``deadline`` seconds.

    Profiles that tiers name are looked for in ``folder``. The model is optimised exactly first. With ``data`` what crosses a link
    is coded, at a loss of at most ``max_drop`` percentage points; codes are fitted on ``calibration`` (half of ``data`` without
    it). Raises EdgeoptError for a model that cannot be read or has a shape that is not known, for data that do not fit it, and
    when no placement keeps the deadline. With ``exits`` samples leave early where that pays, and a network that is too slow for
    the deadline is cut short where it is right most often.

    A ``Subject`` is planned again without repeating what its plans share; it has its own shapes, folder and data.
    """
    known = model if isinstance(model, Subject) else subject(model, shapes, folder, data, calibration)

    def cutting(some: Network) -> Cut | None:
        return best_cut(some, tiers, objective, deadline)

    costs = [known.costs(tier) for tier in tiers.tiers]
    plain = made = network(known.graph, costs)
    left = _leaving(made, tiers, known.candidates, max_drop, objective, deadline) if exits else None
    part, made = known, made if left is None else left[0]
    if left is not None and left[1].ends:
        graph, made = cut_short(known.graph, costs, left[1])
        part = Subject(graph, known.folder, known.samples)
    coder = part.coder(max_drop / 2 if exits else max_drop)
    asked = [objective] if deadline is None else [objective, "latency"]
    rates = [(energy_rates if goal == "energy" else latency_rates)(made, tiers) for goal in asked]
    made, cut = (made, cutting(made)) if coder is None else coded_cut(made, coder, known.slowness(tiers), cutting, rates)
    if cut is None:
        raise EdgeoptError(_too_slow(made, tiers, deadline))
    coding = None if coder is None else _coding(coder, made, cut)
    uploads = assumed(known.graph) if coding is None else {name: found.bytes for name, found in coding.uploads.items()}
    return Plan(
        part.graph,
        made,
        tiers,
        objective,
        cut,
        baselines(plain, tiers, known.graph, uploads),
        _table(made, tiers, objective),
        tuple(cost.origin for cost in costs),
        coding,
        uploads,
        None if left is None else left[1],
        plain,
    )


def _too_slow(made: Network, tiers: Tiers, deadline: float | None) -> str:
    fastest = best_cut(made, tiers, "latency")
    nearest = f"the fastest takes {1e3 * fastest.price.latency:.3f}" if fastest is not None else "there is none at all"
    return f"no placement keeps the deadline of {1e3 * (deadline or 0):.3f} ms; {nearest} ms"


def _leaving(
    made: Network,
    tiers: Tiers,
    candidates: Candidates,
    max_drop: float,
    objective: Objective,
    deadline: float | None,
) -> tuple[Network, Leaving] | None:
    """The network with exits: half of the budget is theirs, half that of codes. A deadline holds for those that stay."""

    def cutting(some: Network) -> Cut | None:
        return best_cut(some, tiers, objective, deadline)

    if deadline is not None and cutting(made) is None:
        return right_sized(made, candidates, cutting)
    found = leaving(made, candidates, Goal(max_drop / 2), cutting, objective)
    if found is None or deadline is None:
        return found
    cut = cutting(found[0])
    late = cut is None or price(made, tiers, cut.placement).latency > deadline
    return None if late else found


def _coding(coder: Coder, made: Network, cut: Cut) -> Coding:
    names = [name for name in sends(made, cut.placement) if name in coded(made)]
    chosen = {name: found for name, found in coder.chosen.items() if found is not None and name in coded(made)}
    return Coding(chosen, coder.reported(cut.placement, names), coder.reporting, coder.uploads)


def baselines(network: Network, tiers: Tiers, graph: Graph, uploads: Mapping[str, float]) -> dict[str, Price]:
    """What is paid without a plan: all on the device, or the input sent to one of the other tiers, raw and as ``uploads`` (bytes

    by name) say.
    """
    count, first = len(network.stages), tiers.tiers[0].name
    found = {f"{first} only": price(network, tiers, [0] * count)}
    for name, size in input_sizes(graph, uploads).items():
        sent = with_input(network, size)
        found |= {f"{name} input to {t.name}": price(sent, tiers, [k] * count) for k, t in enumerate(tiers.tiers) if k}
    return found


def input_sizes(graph: Graph, uploads: Mapping[str, float]) -> dict[str, float]:
    """Bytes of the inputs as they are, and as others send them."""
    return {"raw": float(sum(v.type.nbytes for v in graph.inputs if v.type is not None)), **uploads}


def with_input(network: Network, size: float) -> Network:
    """``network`` whose inputs take ``size`` bytes together, without time for coding."""
    inputs = [t for t in network.tensors if t.producer == INPUT]
    made = (replace(t, size=size / len(inputs), coding=()) if t.producer == INPUT else t for t in network.tensors)
    return Network(network.stages, tuple(made))


def assumed(graph: Graph) -> dict[str, float]:
    """Bytes of the upload of a picture of which no sample is known: a byte a number, and JPEG of ``BITS_PER_PIXEL``."""
    shape = shape_of(graph.inputs[0]) if len(graph.inputs) == 1 else None
    layout = picture_layout(shape) if shape is not None else None
    if layout is None:
        return {}
    rows, columns = layout.maps
    jpeg = f"jpeg (assumed {BITS_PER_PIXEL:g} bits a pixel)"
    return {"bytes (assumed)": float(rows * columns * layout.channels), jpeg: rows * columns * BITS_PER_PIXEL / 8}


def changed(tiers: Tiers, rate: float, load: float) -> Tiers:
    """``tiers`` with the first link ``rate`` times as fast, and all tiers but the first ``load`` times as busy."""
    links = tuple(replace(k, up=k.up * rate, down=k.down * rate) if i == 0 else k for i, k in enumerate(tiers.links))
    return Tiers(tuple(replace(t, load=t.load * load) if i else t for i, t in enumerate(tiers.tiers)), links)


def _table(made: Network, tiers: Tiers, objective: Objective) -> tuple[Row, ...]:
    if len(tiers) == 1:
        return ()
    cells = ((rate, load, best_cut(made, changed(tiers, rate, load), objective)) for load in LOADS for rate in RATES)
    return tuple(Row(rate, load, cut) for rate, load, cut in cells if cut is not None)
