"""Fronts hold what nothing dominates; conditions choose among them; files and recipes are read back; pages draw them."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edgeopt.cli.schema import FILES
from edgeopt.errors import EdgeoptError
from edgeopt.explore.choice import choose, parse_condition, recipe_text
from edgeopt.explore.front_file import Front, read_front
from edgeopt.explore.point import Point, front, point_of
from edgeopt.report.front import front_page
from edgeopt.search.recipe import read_recipe
from tests.edgeopt.command_line import edgeopt

FORMS = {'conv[0]"~3': {"prune": "16x4-50", "quantize": "w8a8"}, "gemm": {"quantize": "w8a8"}}


def point(accuracy: float, latency: float, size: float = 1.0, **more: object) -> Point:
    return replace(Point(accuracy, latency, size, 1e-3, 100.0, FORMS), **more)  # type: ignore[arg-type]


POINTS = [point(90.0, 1e-3, 1e4), point(95.0, 2e-3, 3e4), point(97.0, 8e-3, 2e4)]
level = st.integers(0, 4)
figures = st.tuples(level, level, level, level, level)


@given(st.lists(figures, max_size=12))
def test_what_is_left_out_is_dominated_and_nothing_left_in_is(rows: list[tuple[int, int, int, int, int]]) -> None:
    points = [Point(float(a), float(b), float(c), float(d), float(e), {}) for a, b, c, d, e in rows]
    kept = front(points)

    def beats(a: Point, b: Point) -> bool:
        return a.figures() != b.figures() and all(x <= y for x, y in zip(a.figures(), b.figures(), strict=True))

    assert not any(beats(a, b) for a in kept for b in kept)
    assert all(any(beats(a, b) or a.figures() == b.figures() for a in kept) for b in points)


def test_conditions_choose() -> None:
    cheap = [parse_condition(text) for text in ("latency<=5ms", "ram < 1k")]
    assert choose(POINTS, cheap) is POINTS[1]
    assert choose(POINTS, cheap, "speed") is POINTS[0]
    assert choose(POINTS, [parse_condition("accuracy>=92%")], "size") is POINTS[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("speed<5ms", "is no condition"),
        ("latency=5ms", "no condition"),
        ("size<5ms", "no amount"),
        ("accuracy>x", "no percentage"),
        ("accuracy>=nan", "between 0 and 100"),
        ("accuracy>90%%", "no percentage"),
    ],
)
def test_what_is_no_condition(text: str, why: str) -> None:
    with pytest.raises(EdgeoptError, match=why):
        parse_condition(text)


def test_a_condition_that_nothing_meets_is_named_with_the_nearest_point() -> None:
    asked = [parse_condition(text) for text in ("latency<=100us", "accuracy>=90")]
    with pytest.raises(EdgeoptError, match="of 'latency<=100us', the nearest of all points has 1 ms"):
        choose(POINTS, asked)


def test_files_are_read_back_and_others_refused(tmp_path: Path) -> None:
    made = Front("m.onnx", "cortex-m4", 12, POINTS[2], POINTS, {"x": [1, 64]}, 3, True)
    path = tmp_path / "front.json"
    path.write_text(made.text())
    assert read_front(path) == made and point_of(json.loads(made.text())["exact"]) == POINTS[2]
    assert not list(Draft202012Validator(json.loads(FILES["front"].read_text())).iter_errors(json.loads(made.text())))
    large = [made.text().replace('"trials": 12', f'"trials": {number}') for number in ("Infinity", "1e999")]
    large.append(made.text().replace('"size": ', '"size": 1' + 400 * "0"))
    for text in ("{", "[]", '{"schema": 1, "points": []}', made.text().replace('"schema": 1', '"schema": 0'), 9**5 * "[", *large):
        path.write_text(text)
        with pytest.raises(EdgeoptError, match="is no front"):
            read_front(path)
    wrong: tuple[tuple[str, object, str], ...] = (
        ("accuracy", nan, "a point has accuracy nan"),
        ("latency", -1.0, "a point has latency -1.0"),
        ("unseen", "much", "could not convert"),
        ("forms", {"gemm": "w8a8"}, "no attribute"),
    )
    for name, value, why in wrong:
        path.write_text(replace(made, points=[replace(POINTS[0], **{name: value})]).text())  # type: ignore[arg-type]
        with pytest.raises(EdgeoptError, match=f"is no front.*{why}"):
            read_front(path)
    path.write_text(made.text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(EdgeoptError, match="front of schema 2; edgeopt .* reads 1: take the edgeopt that wrote it"):
        read_front(path)


def test_the_recipe_of_a_point_gives_each_layer_its_forms(tmp_path: Path) -> None:
    path = tmp_path / "point.toml"
    path.write_text(recipe_text(POINTS[0], 'a "point"\n'))
    made = read_recipe(path)
    assert made.forms("prune", 'conv[0]"') == ("16x4-50",) and made.forms("quantize", "gemm") == ("w8a8",)
    assert made.forms("prune", "gemm") == () and made.forms("quantize", "other") == ()


@pytest.mark.parametrize("layer", ['a"\\\\ü<script>', "tab\tline\n*[x]?", "\U000e0001tag", "x" * 3000])
def test_layers_of_any_name_are_found_again(tmp_path: Path, layer: str) -> None:
    path = tmp_path / "point.toml"
    path.write_text(recipe_text(replace(POINTS[0], forms={layer: {"quantize": "w8a8"}}), "about"))
    assert read_recipe(path).forms("quantize", layer) == ("w8a8",)


def test_the_page_does_not_take_the_place_of_the_front(tmp_path: Path) -> None:
    one = ("explore", "examples/digits.onnx", "--data", "examples/digits.eval.npz", "-o", str(tmp_path / "front.html"))
    made = edgeopt(*one)
    assert made.exit_code == 2 and "is where the page of the front goes" in made.stderr


def test_the_command_chooses_and_writes(tmp_path: Path) -> None:
    path, recipe = tmp_path / "front.json", tmp_path / "point.toml"
    path.write_text(Front("m.onnx", "host", 12, POINTS[2], POINTS).text())
    made = edgeopt("select", str(path), "--condition", "latency<=5ms", "-o", str(recipe))
    assert made.exit_code == 0 and "95.00" in made.stdout and read_recipe(recipe).steps
    path.write_text(Front("m.onnx", "host", 12, POINTS[2], [replace(POINTS[0], forms={})]).text())
    exact = edgeopt("select", str(path), "-o", str(tmp_path / "exact.toml"))
    assert (
        exact.exit_code == 1 and "edgeopt compile m.onnx -O2 makes it" in exact.stderr and not (tmp_path / "exact.toml").exists()
    )
    none = edgeopt("select", str(path), "--condition", "latency<=1us")
    assert none.exit_code == 1 and "no point meets" in none.stderr


def test_the_page_draws_every_figure_and_refers_to_nothing() -> None:
    record = json.loads(Front("<m>.onnx", "host", 12, POINTS[2], POINTS).text())
    page = front_page(record, [{"name": "int8 by another", "accuracy": 94.0, "latency": 4e-3, "size": 2.5e4}])
    assert page.count('<svg class="plot"') == 4 and page.count("<circle") == 4 * (len(POINTS) + 1)  # and one in each key
    assert "int8 by another" in page and "&lt;m&gt;.onnx" in page and "http" not in page


def test_marks_that_lie_close_together_have_one_label() -> None:
    record = json.loads(Front("m", "host", 12, POINTS[2], POINTS).text())
    made = [("one", 94.0, 4e-3), ("same", 94.0, 4.01e-3), ("far", 91.0, 7e-3)]
    page = front_page(record, [{"name": name, "accuracy": right, "latency": time} for name, right, time in made])
    assert ">a, b</text>" in page and ">c</text>" in page and ">a</text>" not in page
