"""Planning a model over tiers: the best cuts, what they are compared with, and what is best on other links and busier servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, read
from edgeopt.forms.exit.fitted import Candidates
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.match import shape_of
from edgeopt.partition.coded import Coding, coded_cut, sends
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.codes.picture import picture_layout
from edgeopt.partition.cut import Cut, best_cut
from edgeopt.partition.layer_costs import LayerCosts, estimated
from edgeopt.partition.leaving import Leaving, leaving, right_sized
from edgeopt.partition.network import INPUT, Network
from edgeopt.partition.prices import Objective, Price, price
from edgeopt.partition.profile import read_profile
from edgeopt.partition.stages import network
from edgeopt.partition.tiers import Tier, Tiers
from edgeopt.pipeline import optimize

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
    model: str | Path | ModelProto | Graph,
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
    """
    arguments.instance("model", model, (str, Path, ModelProto, Graph))
    graph = model if isinstance(model, Graph) else load(model, shapes)
    optimize(graph)
    costs = [_costs(graph, tier, folder) for tier in tiers.tiers]
    samples = None if data is None else _samples(graph, data, calibration)
    if exits and samples is None:
        raise EdgeoptError("exits are fitted to data; give --data")

    def cutting(some: Network) -> Cut | None:
        return best_cut(some, tiers, objective, deadline)

    plain = made = network(graph, costs)
    left = None
    if exits and samples is not None:
        left = _leaving(made, tiers, Candidates(graph, *samples), max_drop, objective, deadline)
    made = made if left is None else left[0]
    coder = None if samples is None else Coder(graph, *samples, max_drop / 2 if exits else max_drop)
    cut = cutting(made) if coder is None else None
    if coder is not None:
        made, cut = coded_cut(made, coder, slowness(graph, tiers, costs), cutting)
    if cut is None:
        fastest = best_cut(made, tiers, "latency")
        nearest = f"the fastest takes {1e3 * fastest.price.latency:.3f}" if fastest is not None else "there is none at all"
        raise EdgeoptError(f"no placement keeps the deadline of {1e3 * (deadline or 0):.3f} ms; {nearest} ms")
    origins = tuple(cost.origin for cost in costs)
    coding = None if coder is None else _coding(coder, made, cut)
    uploads = assumed(graph) if coding is None else {name: found.bytes for name, found in coding.uploads.items()}
    compared, exited = baselines(plain, tiers, graph, uploads), None if left is None else left[1]
    table = _table(made, tiers, objective)
    return Plan(graph, made, tiers, objective, cut, compared, table, origins, coding, uploads, exited, plain)


def _samples(graph: Graph, data: str | Path | DataSet, calibration: str | Path | DataSet | None) -> tuple[DataSet, DataSet]:
    """(calibration, evaluation)."""
    known = _read(data, graph)
    return known.split() if calibration is None else (_read(calibration, graph), known)


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


def _read(source: str | Path | DataSet, graph: Graph) -> DataSet:
    return source if isinstance(source, DataSet) else read(source, graph)


def _coding(coder: Coder, made: Network, cut: Cut) -> Coding:
    names = [name for name in sends(made, cut.placement) if coder.chosen.get(name) is not None]
    chosen = {name: found for name, found in coder.chosen.items() if found is not None}
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


def slowness(graph: Graph, tiers: Tiers, costs: Sequence[LayerCosts]) -> list[float]:
    """How many times as long as this machine the processor of each tier computes, by the cost model; 1 where that cannot say."""
    known = {tier.target: sum(cost.seconds.values()) for tier, cost in zip(tiers.tiers, costs, strict=True) if not tier.profile}
    for tier in (Tier("here", "host"), *tiers.tiers):
        if tier.target not in known:
            known[tier.target] = 0.0
            with suppress(EdgeoptError):  # a network with nodes that have no kernel
                known[tier.target] = sum(estimated(graph, tier).seconds.values())
    here = known["host"]
    return [known[tier.target] / here if here and known[tier.target] else 1.0 for tier in tiers.tiers]


def changed(tiers: Tiers, rate: float, load: float) -> Tiers:
    """``tiers`` with the first link ``rate`` times as fast, and all tiers but the first ``load`` times as busy."""
    links = tuple(replace(k, up=k.up * rate, down=k.down * rate) if i == 0 else k for i, k in enumerate(tiers.links))
    return Tiers(tuple(replace(t, load=t.load * load) if i else t for i, t in enumerate(tiers.tiers)), links)


def _table(made: Network, tiers: Tiers, objective: Objective) -> tuple[Row, ...]:
    if len(tiers) == 1:
        return ()
    cells = ((rate, load, best_cut(made, changed(tiers, rate, load), objective)) for load in LOADS for rate in RATES)
    return tuple(Row(rate, load, cut) for rate, load, cut in cells if cut is not None)


def _costs(graph: Graph, tier: Tier, folder: Path) -> LayerCosts:
    return read_profile(folder / tier.profile, graph) if tier.profile else estimated(graph, tier)
