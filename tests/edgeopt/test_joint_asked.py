"""What a joint search does with layers that are asked for by name, and with outputs that it does not judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper, parser

import edgeopt
from edgeopt.evaluate.data import DataSet
from edgeopt.search.allowed import Budget
from edgeopt.search.limits import Limits
from edgeopt.search.recipe import JOINT, SMALLEST, read_recipe
from tests.edgeopt.test_joint import FEW, compiled

HEADS = '<ir_version: 8, opset_import: ["" : 17]> heads (float[1,64] x) => (float[1,10] y, float[1,8] z) '
BODY = "{ h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) z = MatMul(r, u) }"


@pytest.mark.parametrize(("first", "second"), [(JOINT, SMALLEST), (SMALLEST, JOINT)])
def test_what_keeps_no_bound_of_bytes_is_tried_with_other_forms(first: str, second: str) -> None:
    """Integers have less code than tables of values, and round more."""
    (other,) = Budget(Path("d.npz"), recipe=read_recipe(first), limits=Limits(size=1000)).smaller()
    assert other.recipe is not None and (other.recipe.name, other.objective) == (second, "size")
    assert not Budget(Path("d.npz"), recipe=read_recipe(first), limits=Limits()).smaller()


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a search with few forms, whose cache is that of this test alone."""
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "few.toml").write_text(FEW)
    return {"recipe": tmp_path / "few.toml", "onnx": False}


def forms(made: edgeopt.CompiledModel) -> dict[str, str]:
    return {row["layer"]: row["form"] for row in made.manifest["quantization"]["layers"]}


def largest() -> str:
    """The layer of the classifier with most weights."""
    rows = compiled(quantize="w8a8", onnx=False).manifest["quantization"]["layers"]
    name: str = max(rows, key=lambda row: row["float_bytes"])["layer"]
    return name


def test_another_layer_stays_in_float_with_the_same_cache(few: dict[str, Any]) -> None:
    layer = largest()
    for floats in ((layer,), (), (layer,)):  # what was kept of the first search is of fewer layers
        found = forms(compiled(prefer="size", keep_float=floats, search_time=20.0, **few))
        assert (found.get(layer, "float32") == "float32") == bool(floats)


@pytest.mark.parametrize("prefer", ["size", "speed"])
def test_a_form_that_is_asked_for_is_taken_though_no_step_of_the_recipe_has_it(few: dict[str, Any], prefer: str) -> None:
    layer = largest()
    found = forms(compiled(prefer=prefer, layer_forms={layer: "w8a16"}, search_time=20.0, **few))
    assert found[layer] == "w8a16"


def test_a_form_that_loses_too_much_is_not_taken_which_is_noted(few: dict[str, Any]) -> None:
    layer = largest()
    made = compiled(prefer="size", layer_forms={layer: "unstructured-96"}, max_drop=0.0, search_time=20.0, **few)
    assert "unstructured-96" not in forms(made)[layer]
    assert [note for note in made.manifest["notes"] if "the form that was asked for" in note]


def test_what_is_not_judged_changes_little(few: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    shapes = {"w": (64, 64), "v": (64, 10), "u": (64, 8)}
    model = parser.parse_model(HEADS + BODY)
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    data = DataSet({"x": random.standard_normal((200, 64)).astype(np.float32)})
    made = edgeopt.compile(model, 3, data=data, max_drop=50.0, options=edgeopt.Options(prefer="size", search_time=20.0, **few))
    (note,) = (note for note in made.manifest["notes"] if "only output 'y' is judged" in note)
    layer = note.split(": ")[1].split(",")[0]
    assert forms(made)[layer] in ("scaled-7", "float32") and "unstructured" in str(forms(made))


def test_layers_that_are_looked_up_in_tables_are_timed_so(few: dict[str, Any]) -> None:
    free = compiled(where="cortex-a53", prefer="size", forms="scaled-8", onnx=False)  # by estimates, which no other work disturbs
    slow = free.manifest["limits"]["figures"]["size"]
    kept = compiled(where="cortex-a53", prefer="speed", forms="scaled-8", max_size=int(2.2 * slow), onnx=False)
    assert sum(form == "scaled-8" for form in forms(kept).values()) < sum(form == "scaled-8" for form in forms(free).values())
