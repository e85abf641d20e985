"""Exits in a plan: what lies behind is paid with its probability, a deadline may cut the network short, and pictures show it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.leaving import with_leaving
from edgeopt.partition.pictures import report
from edgeopt.partition.plan import Plan, plan
from edgeopt.partition.prices import price
from edgeopt.partition.profile import LayerTime, work, write_profile
from edgeopt.partition.record import record_of
from edgeopt.partition.stages import network
from edgeopt.partition.tiers import Link, Tier, Tiers, load_tiers
from edgeopt.pipeline import optimize
from tests.edgeopt import bright_quarters
from tests.edgeopt.bright_quarters import blobs
from tests.edgeopt.partition.test_coded_plan import TIERS
from tests.edgeopt.test_manifest_schema import REPORT, misfits

TWO = Tiers((Tier("device", "host"), Tier("server", "host")), (Link("wire", 100.0, 100.0, 0.5),))


def optimized() -> Graph:
    graph = load(bright_quarters.network())
    optimize(graph)
    return graph


def test_what_lies_behind_an_exit_is_paid_with_its_probability() -> None:
    graph = optimized()
    plain = network(graph, [LayerCosts({n.name: 1.0 for n in graph.nodes}), LayerCosts({n.name: 0.1 for n in graph.nodes})])
    value = graph.nodes[0].output.name
    made = with_leaving(plain, graph, [value], [0.75], [0])
    assert [stage.reach for stage in made.stages] == [1.0] + [0.25] * (len(graph.nodes) - 1)
    alone = [0] * len(graph.nodes)
    assert price(made, TWO, alone).latency == pytest.approx(1.0 + 0.25 * (len(graph.nodes) - 1))
    cut = [0] + [1] * (len(graph.nodes) - 1)
    saved = price(plain, TWO, cut).latency - 1.0
    assert price(made, TWO, cut).latency == pytest.approx(1.0 + 0.25 * saved)


def test_a_head_costs_what_its_products_do() -> None:
    graph = optimized()
    plain = network(graph, [LayerCosts({n.name: 1.0 for n in graph.nodes})])
    from edgeopt.ops.macs import macs

    total = sum(macs(node) or 0 for node in graph.nodes)
    made = with_leaving(plain, graph, [graph.nodes[0].output.name], [0.0], [total])
    assert made.stages[0].seconds[0] == pytest.approx(1.0 + len(graph.nodes))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaving")
    onnx.save(bright_quarters.network(), folder / "blobs.onnx")
    (folder / "tiers.toml").write_text(TIERS.replace("profile", "battery = true\nwatts = 1.0\nprofile", 1))
    graph = optimized()
    for name, seconds in (("device", 1.0), ("server", 0.9)):
        rows = [LayerTime(n.name, n.op, *work(n), seconds) for n in graph.nodes]
        write_profile(folder / f"{name}.json", name, rows)
    return folder


@cache
def planned(place: Path, deadline: float | None = None) -> Plan:
    tiers, data, calibration = load_tiers(place / "tiers.toml"), blobs(600, 1), blobs(200, 2)
    model = place / "blobs.onnx"
    return plan(model, tiers, "latency", deadline, folder=place, data=data, calibration=calibration, max_drop=8.0, exits=True)


def test_exits_make_the_plan_cheaper_and_the_page_shows_it(place: Path) -> None:
    made = planned(place)
    assert made.leaving is not None and not made.leaving.ends
    assert made.cut.price.latency < min(p.latency for n, p in made.baselines.items() if "assumed" not in n)
    assert made.baselines["device only"].latency == pytest.approx(5.0), "what it is compared with has no exits"
    assert made.leaving.before - made.leaving.accuracy < 8.0
    record = json.loads(json.dumps(record_of(made, "blobs")))
    assert not misfits(record, REPORT)
    page = report(record)
    for text in ("When what happens", "Latency against the rate", "Energy of the device", "Accuracy against operations"):
        assert text in page
    pictures = page.split("<svg")[1:]
    assert sum('class="plot"' in picture.split(">")[0] for picture in pictures) == 4
    for picture in pictures:
        ElementTree.fromstring("<svg" + picture.split("</svg>")[0] + "</svg>")


def test_a_deadline_that_the_network_misses_cuts_it_short(place: Path) -> None:
    made = planned(place, deadline=2.0)
    assert made.leaving is not None and made.leaving.ends
    assert made.cut.price.latency <= 2.0
    assert made.leaving.accuracy <= made.leaving.before
    with pytest.raises(EdgeoptError, match="no placement keeps the deadline"):
        planned(place, deadline=0.5)


def test_exits_want_data(place: Path) -> None:
    with pytest.raises(EdgeoptError, match="give --data"):
        plan(place / "blobs.onnx", load_tiers(place / "tiers.toml"), folder=place, exits=True)
