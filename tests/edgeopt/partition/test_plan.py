"""Planning a model by its file: baselines, deadlines, profiles, and parts on disk that compute what the whole does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import edgeopt
from edgeopt.cli.main import main
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import Plan, plan
from edgeopt.partition.profile import LayerTime, read_profile, work, write_profile
from edgeopt.partition.tiers import load_tiers, samples
from edgeopt.pipeline import optimize
from tests.edgeopt.small_models import convolution

TIERS = """
[[tier]]
name = "device"
target = "host"
profile = "device.json"
battery = true
watts = 1.0
[[tier]]
name = "server"
target = "host"
profile = "server.json"
[[link]]
name = "wire"
up = 1000.0
down = 1000.0
round_trip = 0.1
"""

LAYER = '{"name": "a", "op": "b", "macs": 1, "bytes": 1, "seconds": 1}'
PROFILE = f'{{"format": "edgeopt-profile-1", "machine": "m", "layers": [{LAYER}]}}'


@dataclass
class Case:
    """A folder with small.onnx, tiers.toml and the profiles of two machines, the device slow at the end of the network."""

    folder: Path

    def plan(self, deadline: float | None = None) -> Plan:
        return plan(self.folder / "small.onnx", load_tiers(self.folder / "tiers.toml"), deadline=deadline, folder=self.folder)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    model = tmp_path / "small.onnx"
    onnx.save(convolution(), model)
    (tmp_path / "tiers.toml").write_text(TIERS)
    graph = load(model)
    optimize(graph)
    for name, first, last in (("device", 0.1, 5.0), ("server", 0.05, 0.01)):
        rows = [LayerTime(node.name, node.op, *work(node), last if "Gemm" in node.op else first) for node in graph.nodes]
        write_profile(tmp_path / f"{name}.json", name, rows)
    return Case(tmp_path)


def test_the_plan_beats_its_baselines(case: Case) -> None:
    planned = case.plan()
    true = {name: price for name, price in planned.baselines.items() if "assumed" not in name}
    assert set(true) == {"device only", "raw input to server"}
    assert len(planned.baselines) == 4, "and the picture in bytes and as JPEG, of assumed size"
    assert planned.cut.price.latency < min(price.latency for price in true.values())
    assert len({row.cut.placement for row in planned.table}) > 1, "other links have other placements"


def test_parts_on_disk_compute_what_the_model_does(case: Case) -> None:
    folder = case.folder / "plan"
    made = save_plan(case.plan(), folder, most=2)
    record = json.loads((folder / "plan.json").read_text())
    assert len(made) == len(record["variants"]) == 3, "two, and everything on the device"
    assert {row["variant"] for row in record["table"]} <= {0, 1, 2}
    x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
    expected = edgeopt.compile(case.folder / "small.onnx").run({"x": x})["y"]
    for variant in record["variants"]:
        known = {"x": x}
        for part in variant["parts"].values():
            model = edgeopt.load(folder / part)
            known |= model.run({port.name: known[port.name] for port in model.inputs})
        np.testing.assert_allclose(known["y"], expected, rtol=1e-5, atol=1e-6)


def test_a_deadline_that_none_keeps_names_the_fastest(case: Case) -> None:
    fastest = case.plan().cut.price.latency
    with pytest.raises(
        EdgeoptError, match=rf"no placement keeps the deadline of 0\.001 ms; the fastest takes {1e3 * fastest:.3f}"
    ):
        case.plan(deadline=1e-6)


def test_the_command_prints_the_plan_and_writes_the_parts(case: Case) -> None:
    out = case.folder / "parts"
    arguments = ["partition", str(case.folder / "small.onnx"), "--tiers", str(case.folder / "tiers.toml")]
    result = CliRunner().invoke(main, [*arguments, "-o", str(out)])
    assert result.exit_code == 0, result.output
    for text in ("best latency", "device only", "raw input to server", "measured on device", "Mbit/s"):
        assert text in result.stdout
    record = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)["result"]
    assert set(record["placement"].values()) == {"device", "server"}
    assert (out / "plan.json").is_file()


def test_a_profile_is_measured_here(case: Case) -> None:
    out = case.folder / "here.json"
    result = CliRunner().invoke(main, ["profile", str(case.folder / "small.onnx"), "-o", str(out), "--seconds", "0.1"])
    assert result.exit_code == 0, result.output
    graph = load(case.folder / "small.onnx")
    optimize(graph)
    costs = read_profile(out, graph)
    assert sum(costs.seconds.values()) > 0 and "predicted" not in costs.origin


def test_layers_that_a_profile_lacks_are_predicted_by_their_kind(case: Case) -> None:
    graph = load(convolution())
    rows = [LayerTime(f"other{n}", "Conv", n, 10 * n, 1e-3 * n + 1e-3) for n in (10, 1000, 100000)]
    write_profile(case.folder / "p.json", "board", rows)
    costs = read_profile(case.folder / "p.json", graph)
    conv = next(node for node in graph.nodes if node.op == "Conv")
    assert 1e-3 < costs.seconds[conv.name] < 100.0
    assert costs.origin == "measured on board, 5 layers predicted"


def test_each_kind_of_layer_has_a_rule_of_its_own(case: Case) -> None:
    graph = load(convolution())
    optimize(graph)
    rules = {"FusedConv": (2e-9, 3e-10, 1e-5), "FusedGemm": (5e-10, 4e-9, 0.0)}
    rng = np.random.default_rng(0)
    sizes = [(op, int(m), int(b)) for op in rules for m, b in rng.integers(1, 10**6, (12, 2))]
    rows = [LayerTime(f"other{i}", op, m, b, float(rules[op] @ np.array((m, b, 1.0)))) for i, (op, m, b) in enumerate(sizes)]
    write_profile(case.folder / "p.json", "board", rows)
    costs = read_profile(case.folder / "p.json", graph)
    known = [node for node in graph.nodes if node.op in rules]
    assert {node.op for node in known} == set(rules)
    for node in known:
        assert costs.seconds[node.name] == pytest.approx(float(rules[node.op] @ np.array((*work(node), 1.0))), rel=1e-4)


def test_a_profile_of_several_models_names_the_layers_of_all(case: Case, tmp_path: Path) -> None:
    other, out = tmp_path / "other.onnx", tmp_path / "both.json"
    onnx.save(convolution(opset=13), other)
    arguments = ["profile", str(case.folder / "small.onnx"), str(other), "-o", str(out), "--seconds", "0.1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    graph = load(other)
    optimize(graph)
    assert len(json.loads(out.read_text())["layers"]) == 2 * len(graph.nodes)


@pytest.mark.parametrize("name", ["3g", "4g", "ethernet", "pc", "wifi"])
def test_samples_can_be_read(name: str) -> None:
    assert name in samples()
    tiers = load_tiers(name)
    assert [tier.name for tier in tiers.tiers] == ["device", "edge", "cloud"]
    sources = [tier.source for tier in tiers.tiers] + [link.source for link in tiers.links]
    assert all(sources), "every figure says where it comes from"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("up = 1000.0", "up = 0"), "link 'wire': up must be above 0"),
        (("up = 1000.0", "up = nan"), "must be a number"),
        (("up = 1000.0", "up = 1e-320"), "must be between"),
        (("up = 1000.0", f"up = {10**400}"), "must be between"),
        (("up = 1000.0", ""), "lacks 'up'"),
        (('target = "host"', "target = 3"), "target must be a text"),
        (("watts = 1.0", "wats = 1.0"), "unknown key 'wats'"),
        (("[[link]]", "[link]"), "must be a list of tables"),
        (('name = "server"', 'name = "device"'), "two tiers have the same name"),
        (("[[link]]", "[[tier]]"), "unknown key 'up'"),
        (("[[tier]]", "[[tier"), "cannot read the file of tiers"),
        (("round_trip = 0.1", "availability = 1.5"), "availability must be between 1e-15 and 1, not 1.5"),
        ((TIERS, ""), r"has no \[\[tier\]\]"),
        (('name = "server"', 'name = " "'), "needs a name of printable characters"),
    ],
)
def test_tiers_that_make_no_sense_are_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "tiers.toml"
    path.write_text(TIERS.replace(*change))
    with pytest.raises(EdgeoptError, match=message):
        load_tiers(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "edgeopt-profile-1", "machine": "m", "layers": []}', "\x00", "[" * 100000,
             *(PROFILE.replace('"bytes": 1', f'"bytes": {n}') for n in ("1e999", "-1", "1" * 400))],
)  # fmt: skip
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(EdgeoptError, match="is no profile of layers"):
        read_profile(tmp_path / "p.json", load(convolution()))


def test_a_sample_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(EdgeoptError, match="no file of tiers '5g'.*; there are 3g, 4g, ethernet, pc, wifi"):
        load_tiers("5g")
