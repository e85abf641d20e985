"""Planning a model over tiers: the best cuts, what they are compared with, and what is best on other links and busier servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.partition.cut import Cut, best_cut
from edgeopt.partition.layer_costs import LayerCosts, estimated
from edgeopt.partition.network import Network
from edgeopt.partition.prices import Objective, Price, price
from edgeopt.partition.profile import read_profile
from edgeopt.partition.stages import network
from edgeopt.partition.tiers import Tier, Tiers
from edgeopt.pipeline import optimize

RATES = tuple(2.0**power for power in range(-6, 7))  # of the first link, as multiples of what the file of tiers says
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

    ``origins`` says for each tier where its costs come from.
    """

    graph: Graph
    network: Network
    tiers: Tiers
    objective: Objective
    cut: Cut
    baselines: Mapping[str, Price]
    table: tuple[Row, ...]
    origins: tuple[str, ...]


def plan(
    model: str | Path | ModelProto | Graph,
    tiers: Tiers,
    objective: Objective = "latency",
    deadline: float | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    folder: Path = Path(),
) -> Plan:
    """Place the layers of ``model`` on ``tiers`` so that ``objective`` is least and the latency at most ``deadline`` seconds.

    Profiles that tiers name are looked for in ``folder``. The model is optimised exactly first. Raises EdgeoptError for a model
    that cannot be read or has a shape that is not known, and when no placement keeps the deadline.
    """
    arguments.instance("model", model, (str, Path, ModelProto, Graph))
    graph = model if isinstance(model, Graph) else load(model, shapes)
    optimize(graph)
    costs = [_costs(graph, tier, folder) for tier in tiers.tiers]
    made = network(graph, costs)
    cut = best_cut(made, tiers, objective, deadline)
    if cut is None:
        fastest = best_cut(made, tiers, "latency")
        nearest = f"the fastest takes {1e3 * fastest.price.latency:.3f}" if fastest is not None else "there is none at all"
        raise EdgeoptError(f"no placement keeps the deadline of {1e3 * (deadline or 0):.3f} ms; {nearest} ms")
    origins = tuple(cost.origin for cost in costs)
    return Plan(graph, made, tiers, objective, cut, baselines(made, tiers), _table(made, tiers, objective), origins)


def baselines(network: Network, tiers: Tiers) -> dict[str, Price]:
    """What is paid without a plan: all on the device, or the raw input sent to one of the other tiers."""
    count, first = len(network.stages), tiers.tiers[0].name
    found = {f"{first} only": price(network, tiers, [0] * count)}
    for place, tier in enumerate(tiers.tiers[1:], 1):
        found[f"raw input to {tier.name}"] = price(network, tiers, [place] * count)
    return found


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
