"""What is said of single layers: they stay in float, or have the form that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.evaluate.data import DataSet
from edgeopt.search.pins import Pins
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command

DATA = DataSet({"x": np.random.default_rng(0).standard_normal((16, 3, 8, 8)).astype(np.float32)})


def forms(level: int, **options: object) -> dict[str, tuple[str, str]]:
    """Layer -> (form, reason) of a small network."""
    given = edgeopt.Options(**options)  # type: ignore[arg-type]
    made = edgeopt.compile(small_models.convolution(), level, data=DATA, max_drop=100, options=given)
    return {row["layer"]: (row["form"], row["reason"]) for row in made.manifest["quantization"]["layers"]}


def test_every_layer_that_why_names_can_stay_in_float(tmp_path: object) -> None:
    import onnx

    path = f"{tmp_path}/small.onnx"
    onnx.save(small_models.convolution(), path)
    names = [row.layer for row in edgeopt.why(path, DATA, samples=4).layers]
    assert len(names) == 2
    for name in names:
        found = forms(1, quantize="w8a8", keep_float=[name])
        assert found[name] == ("float32", "kept in float, as asked")
        assert all(form == "w8a8" for other, (form, _) in found.items() if other != name)


def test_one_layer_has_the_form_that_was_asked_for() -> None:
    assert forms(1, quantize="w8a8", layer_forms={"gemm": "w8a16"}) == {"conv": ("w8a8", ""), "gemm": ("w8a16", "")}
    alone = forms(1, layer_forms={"gemm": "w8a16"})
    assert alone["gemm"] == ("w8a16", "") and alone.get("conv", ("float32", ""))[0] == "float32"
    assert forms(3, layer_forms={"gemm": "w4a8"})["gemm"][0] == "w4a8"  # even where it is slower


def test_names_and_forms_that_are_none() -> None:
    with pytest.raises(edgeopt.EdgeoptError, match="there is no layer 'cnov'; there are 'conv'"):
        forms(1, quantize="w8a8", keep_float=["cnov"])
    with pytest.raises(edgeopt.EdgeoptError, match="unknown form 'w9'; did you mean 'w[0-9]"):
        edgeopt.Options(layer_forms={"conv": "w9"})
    with pytest.raises(edgeopt.EdgeoptError, match="say one of them"):
        Pins(("conv",), {"conv": "w8a8"})
    with pytest.raises(edgeopt.EdgeoptError, match="expected is a list"):
        edgeopt.Options(keep_float="conv")
    assert command("compile", DIGITS, "--form", "w8a16").exit_code == 2
    twice = command("compile", DIGITS, "--form", "gemm_19=w8a8", "--form", "gemm_19=w8")
    assert twice.exit_code == 2 and "say one of them" in twice.stderr


def test_without_data_a_form_of_weights_alone_is_reached_by_its_name() -> None:
    def compiled(form: str) -> Any:
        return edgeopt.compile(small_models.convolution(), 1, options=edgeopt.Options(layer_forms={"gemm": form}))

    rows = {row["layer"]: row["form"] for row in compiled("w8").manifest["quantization"]["layers"]}
    assert rows["gemm"] == "w8"
    with pytest.raises(edgeopt.EdgeoptError, match="'gemm' cannot become 'w8a8' here: it can become w8; give --data"):
        compiled("w8a8")
    with pytest.raises(edgeopt.EdgeoptError, match="'conv' cannot become 'low_rank' here: not without data"):
        edgeopt.compile(small_models.convolution(), 1, options=edgeopt.Options(layer_forms={"conv": "low_rank"}))


def test_without_data_the_other_layers_have_the_form_that_was_asked_for_them() -> None:
    def found(**options: Any) -> dict[str, str]:
        made = edgeopt.compile(small_models.convolution(), 1, options=edgeopt.Options(**options))
        return {row["layer"]: row["form"] for row in made.manifest["quantization"]["layers"]}

    assert found(quantize="w8a8", layer_forms={"gemm": "w4"}) == {"conv": "w8", "gemm": "w4"}
    assert found(quantize="w4a8", layer_forms={"gemm": "w8"}) == {"conv": "w4", "gemm": "w8"}
    assert found(quantize="w8a8", layer_forms={"gemm": "w8"}) == {"conv": "w8", "gemm": "w8"}


def test_a_layer_that_is_none_is_noticed_where_nothing_is_quantised() -> None:
    for level, data in ((1, None), (1, DATA), (0, None)):
        with pytest.raises(edgeopt.EdgeoptError, match="there is no layer 'cnov'"):
            edgeopt.compile(small_models.convolution(), level, data=data, options=edgeopt.Options(keep_float=["cnov"]))
    with pytest.raises(edgeopt.EdgeoptError, match="there is no layer 'cnov'"):
        edgeopt.compile(small_models.convolution(), 1, options=edgeopt.Options(keep_float=["cnov"], forms="low_rank"))


def test_what_has_no_effect_is_said() -> None:
    def notes(data: DataSet | None, max_drop: float = 1.0, **options: Any) -> str:
        made = edgeopt.compile(small_models.convolution(), 1, data=data, max_drop=max_drop, options=edgeopt.Options(**options))
        return "\n".join(made.manifest["notes"])

    assert "keep_float has no effect: below -O3" in notes(None, keep_float=["conv"])
    assert "max_drop and method have no effect: below -O3" in notes(DATA, 5.0, method="mse")
    assert "accept_chance has no effect: nothing is calibrated" in notes(None, quantize="w8", accept_chance=True)
    assert "no effect" not in notes(DATA, 100.0, quantize="w8", keep_float=["conv"])
