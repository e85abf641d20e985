"""Exits that are fitted: heads learn, one threshold keeps its bound, and the compiled model leaves where the report says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from onnx import parser

import edgeopt
from edgeopt.cli.answer import SCHEMA_FILE
from edgeopt.cli.main import main
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.examine.exits import with_exits
from edgeopt.forms.exit.confidence import certainty, largest, margin, probabilities
from edgeopt.forms.exit.fitted import Candidates, fit_exits
from edgeopt.forms.exit.head import fit, fit_deeper
from edgeopt.forms.exit.points import gives_probabilities, points
from edgeopt.forms.exit.seen import Answers
from edgeopt.forms.exit.threshold import Goal, chosen, curve, leaves, operating
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.ops.exit_features import Convolved, Features, Grid, Hidden
from tests.edgeopt.bright_quarters import CLASSES, blobs, network
from tests.edgeopt.small_models import convolution

TEXT = '<ir_version: 9, opset_import: ["" : 17]> g (float[1,4] u) => (float[1,4] y)'


def test_heads_learn_and_ignore_classes_they_never_saw() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.standard_normal((300, 6, 4, 4)) + 2.0 * np.eye(6)[y][:, :, None, None]
    seen: dict[Features, Array] = {Grid((1, 1)): x.mean(axis=(2, 3)), Grid((4, 4)): x.reshape(300, -1)}
    head = fit(seen, y, 5, (1, 6, 4, 4))
    assert head.accuracy > 0.95 and head.weight.shape[1] == 5 and head.work == head.weight.size
    assert set(head.logits(seen).argmax(axis=1)) <= {0, 1, 2}
    two = fit(seen, y % 2, 2, (1, 6, 4, 4))
    assert two.accuracy > 0.9


def test_a_layer_in_front_where_no_plane_separates_the_classes() -> None:
    """Classes by whether two features have the same sign, and one by a third: logistic regression cannot tell the first two."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((900, 4)).astype(np.float32)
    y = np.where(x[:, 2] > 0.5, 2, np.sign(x[:, 0]) == np.sign(x[:, 1])).astype(int)
    seen: dict[Features, Array] = {Grid(None): 3.0 * x + 5.0}
    plain = fit(seen, y, 3, (1, 4))
    (head,) = fit_deeper(plain, seen, y, 3, (1, 4))
    assert isinstance(head.features, Hidden) and head.accuracy > 0.9 > plain.accuracy + 0.1
    assert head.work == head.parameters == 4 * 64 + 64 * 3 and str(head.features) == "as it is, 64 hidden"
    assert np.mean(head.logits(seen).argmax(axis=1) == y) > 0.9
    assert not fit_deeper(plain, seen, (x[:, 0] > 0).astype(int), 2, (1, 4)), "two classes need one plane"


def test_a_convolution_in_front_of_a_head_sees_where_things_lie_together() -> None:
    """A class is which of two bright cells are neighbours, wherever in the map: means of cells alone do not say."""
    rng = np.random.default_rng(1)
    y, x = rng.integers(0, 3, 1200), 0.2 * rng.standard_normal((1200, 1, 6, 6))
    steps = np.array([[0, 1], [1, 0], [1, 1]])
    row, column = rng.integers(0, 5, (2, 1200))
    x[np.arange(1200), 0, row, column] += 2.0
    x[np.arange(1200), 0, row + steps[y, 0], column + steps[y, 1]] += 2.0
    seen: dict[Features, Array] = {Grid((6, 6)): x.reshape(1200, -1).astype(np.float32)}
    plain = fit(seen, y, 3, (1, 1, 12, 12))
    head = fit_deeper(plain, seen, y, 3, (1, 1, 12, 12))[-1]
    assert isinstance(head.features, Convolved) and head.accuracy > plain.accuracy + 0.2
    assert head.work == 16 * 9 * 16 + 16 * 16 * 3 and str(head.features) == "grid 6x6, 3x3 convolution of 16"


def test_the_head_that_saves_most_is_taken_at_each_place() -> None:
    """Sure and right more often for a little more work: taken; the same for much more: not."""
    rng, targets = np.random.default_rng(0), np.random.default_rng(1).integers(0, 3, 2000)
    signal = 2.0 * np.eye(3)[targets]
    plain, better = (signal * s + rng.standard_normal((2000, 3)) for s in (1.0, 2.0))
    candidates = Candidates(load(network()), blobs(100, 1), blobs(100, 2))
    (point, head), taken = (candidates.points[0], candidates.heads[0]), []
    candidates.points, candidates.places = [point] * 2, [[0, 1]]
    for share in (0.01, 0.7):
        candidates.heads = [head, replace(head, work=int(share * point.macs))]
        candidates.held = candidates.answers = Answers([plain, better], targets, np.ones(2000, bool))
        (option,) = candidates.options(Goal(2.0))
        taken.append(option.exits)
    assert taken == [(1,), (0,)]


@given(st.integers(0, 1000), st.floats(0, 5))
def test_the_chosen_point_keeps_its_bound_on_its_samples(seed: int, most: float) -> None:
    rng = np.random.default_rng(seed)
    sure = [rng.uniform(0.3, 1.0, 200) for _ in range(2)]
    right = [*(rng.uniform(size=200) < c for c in sure), rng.uniform(size=200) < 0.95]
    line = list(curve(sure, right, [0.2, 0.6, 1.0]))
    point = chosen(line, Goal(most))
    assert point.bound <= most or point is line[0]
    again = operating(sure, right, [0.2, 0.6, 1.0], point.threshold)
    assert again == point and abs(sum(point.shares) - 1) < 1e-9
    np.testing.assert_allclose(np.bincount(leaves(sure, point.threshold), minlength=3) / 200, point.shares)


def test_kinds_of_confidence() -> None:
    shares = probabilities(np.log(np.array([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]])))
    np.testing.assert_allclose(largest(shares), [0.7, 1 / 3])
    np.testing.assert_allclose(margin(shares), [0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(certainty(shares)[1], 0.0, atol=1e-12)
    assert 0 < certainty(shares)[0] < 1


def test_a_mean_cost_is_kept_with_the_least_loss() -> None:
    rng = np.random.default_rng(0)
    sure = [rng.uniform(0.3, 1.0, 500)]
    right = [rng.uniform(size=500) < sure[0], np.ones(500, bool)]
    line = list(curve(sure, right, [0.2, 1.0]))
    cheap = [p for p in line if p.macs <= 0.6]
    assert chosen(line, Goal(macs=0.6)) == min(cheap, key=lambda p: (p.bound, p.macs))
    assert chosen(line, Goal(macs=0.01)) is line[0], "what cannot be kept changes nothing"


def test_an_earlier_exit_is_heard_where_that_saves() -> None:
    """Two heads that err apart are better together; one that only guesses loudly is not listened to."""
    rng, targets = np.random.default_rng(0), np.random.default_rng(1).integers(0, 3, 2000)
    signal = 2.0 * np.eye(3)[targets]
    first, second, loud = (signal * s + n * rng.standard_normal((2000, 3)) for s, n in ((1, 1.0), (1, 1.0), (0, 8.0)))
    candidates = Candidates(load(network()), blobs(100, 1), blobs(100, 2), hierarchical=True)
    candidates.points = [replace(candidates.points[0], depth=depth) for depth in (0.1, 0.5)]
    candidates.heads, candidates.places = candidates.heads[:1] * 2, [[0], [1]]
    weights = []
    for before in (first, loud):
        candidates.held = candidates.answers = Answers([before, second], targets, np.ones(2000, bool))
        options = candidates.options(Goal(2.0))
        weights.append({option.earlier for option in options})
    assert weights == [{0.5}, {0.0}]
    candidates.hierarchical = False
    candidates.held = candidates.answers = Answers([first, second], targets, np.ones(2000, bool))
    assert {option.earlier for option in candidates.options(Goal(2.0))} == {0.0}


def test_points_are_values_that_carry_everything() -> None:
    found = points(load(network()))
    assert [(p.value.name, round(p.depth, 2)) for p in found] == [("u", 0.2)], "behind the second little is left to save"
    two = load(network())
    two.outputs = [*two.outputs, two.nodes[0].output]
    assert not points(two)


@pytest.mark.parametrize(("end", "softmax"), [("p = Softmax(u) y = Reshape(p, s)", True), ("y = Reshape(u, s)", False)])
def test_a_softmax_is_known_behind_what_passes_it_on(end: str, softmax: bool) -> None:
    text = f"""<ir_version: 9, opset_import: ["" : 17]> g (float[1,4] u) => (float[1,4,1,1] y)
      <int64[4] s = {{1, 4, 1, 1}}> {{ {end} }}"""
    assert gives_probabilities(load(parser.parse_model(text)).outputs[0]) is softmax


def test_what_is_no_decision_has_no_exits() -> None:
    text = """<ir_version: 9, opset_import: ["" : 17]> g (float[1,1,8,8] x) => (float[1,2,8,8] y)
      <float[2,1,1,1] a = {1, 2}, float[2,2,1,1] b = {1, 2, 3, 4}> { u = Conv(x, a) r = Relu(u) y = Conv(r, b) }"""
    with pytest.raises(EdgeoptError, match="not one decision"):
        fit_exits(load(parser.parse_model(text)), blobs(100, 1), blobs(100, 2), Goal())


def test_the_compiled_model_leaves_where_the_report_says(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "blobs.onnx")
    data, calibration = blobs(1200, 1), blobs(600, 2)
    found, model = with_exits(tmp_path / "blobs.onnx", data, calibration, Goal(3.0))
    assert found is not None and model is not None
    assert found.chosen.bound <= 3.0 and found.reported.macs < 1.0
    fresh = blobs(300, 3)
    assert fresh.labels is not None
    results = [model.run({"x": x[None]}) for x in fresh.arrays["x"]]
    where = np.array([int(r["y.exit"][0]) for r in results])
    shares = np.bincount(where, minlength=len(found.reported.shares)) / len(where)
    np.testing.assert_allclose(shares, found.reported.shares, atol=0.12)
    plain = edgeopt.compile(tmp_path / "blobs.onnx")
    stayed = where == len(found.exits)
    for x, result in zip(fresh.arrays["x"][stayed][:5], np.array(results, object)[stayed][:5], strict=True):
        np.testing.assert_allclose(result["y"], plain.run({"x": x[None]})["y"], rtol=1e-5, atol=1e-6)


def test_samples_that_the_network_was_trained_on_are_refused() -> None:
    graph = load(network())
    known, new = blobs(300, 1), blobs(300, 2)
    labels: Array = np.asarray(new.labels).copy()
    labels[::4] = (labels[::4] + 1) % CLASSES
    with pytest.raises(EdgeoptError, match="it was trained on them"):
        fit_exits(graph, DataSet(new.arrays, labels), known, Goal())


def test_too_few_samples_and_networks_without_a_place_are_one_message() -> None:
    with pytest.raises(EdgeoptError, match="too few"):
        fit_exits(load(network()), blobs(10, 1), blobs(10, 2), Goal())
    with pytest.raises(EdgeoptError, match="not one sample"):
        fit_exits(load(convolution(batch=2)), blobs(100, 1), blobs(100, 2), Goal())
    with pytest.raises(EdgeoptError, match="no place to leave"):
        fit_exits(load(parser.parse_model(f"{TEXT} {{ y = Softmax(u) }}")), blobs(100, 1), blobs(100, 2), Goal())
    two = load(network())
    two.outputs = [*two.outputs, two.nodes[0].output]
    with pytest.raises(EdgeoptError, match="several outputs"):
        fit_exits(two, blobs(100, 1), blobs(100, 2), Goal())


def test_the_command_reports_and_writes(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "blobs.onnx")
    for name, data in (("data", blobs(800, 1)), ("calibration", blobs(400, 2))):
        np.savez(tmp_path / f"{name}.npz", labels=np.asarray(data.labels), x=data.arrays["x"])
    arguments = ["exits", str(tmp_path / "blobs.onnx"), "--data", str(tmp_path / "data.npz")]
    arguments += ["--calibration", str(tmp_path / "calibration.npz"), "--max-drop", "3"]
    result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "blobs.edgeopt")])
    assert result.exit_code == 0, result.output
    assert "threshold" in result.stdout and "the end" in result.stdout
    printed = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert not list(Draft202012Validator(json.loads(SCHEMA_FILE.read_text())).iter_errors(printed))
    record = printed["result"]
    assert record["reported"]["macs"] < 1 and len(record["curve"]) > 10
    assert [port.name for port in edgeopt.load(tmp_path / "blobs.edgeopt").outputs] == ["y", "y.exit"]
    for row in record["latency"].values():
        assert 0 < row["mean"] < 0.1 and sorted(row["percentiles"]) == row["percentiles"]
    page = (tmp_path / "blobs.edgeopt" / "report.html").read_text()
    assert "Early exits" in page and "without exits" in page and "µs of an inference" in page
    assert "<h1>blobs</h1>" in page and f"threshold {record['threshold']:.4f}</span>" in page and page.count("<circle") == 2
