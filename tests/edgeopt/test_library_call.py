"""The library call: every argument is checked with one message, and the public names are shown."""

from __future__ import annotations

import inspect
import math
import pydoc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.rewrite import Context
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"level": 4}, "level=4: expected is an integer from 0 to 3"),
    ({"level": -1}, "level"),
    ({"level": "2"}, "level='2'"),
    ({"level": 1.5}, "level"),
    ({"level": True}, "level=True"),
    ({"level": None}, "level=None"),
    ({"target": 3}, "target is of type int"),
    ({"target": "no-such-board"}, "no-such-board"),
    ({"shapes": "x=1"}, "shapes"),
    ({"shapes": {"x": "1,3"}}, r"shapes\['x'\]"),
    ({"shapes": {"x": (1, -3)}}, r"shapes\['x'\]"),
    ({"shapes": {"x": 3}}, r"shapes\['x'\]"),
    ({"data": 7}, "data is of type int"),
    ({"data": {"x": np.zeros(3)}}, "data is of type dict"),
    ({"data": "no-such-file.npz"}, "data: there is no file 'no-such-file.npz'"),
    ({"calibration": Path("no-such-file.npz")}, "calibration: there is no file"),
    ({"calibration": [1]}, "calibration is of type list"),
    ({"max_drop": -0.1}, "max_drop=-0.1: expected is a finite number of at least 0"),
    ({"max_drop": math.nan}, "max_drop=nan"),
    ({"max_drop": math.inf}, "max_drop=inf"),
    ({"max_drop": "1"}, "max_drop='1'"),
    ({"max_drop": None}, "max_drop=None"),
    ({"options": "w8a8"}, "options is of type str"),
    ({"options": {"quantize": "w8a8"}}, "options is of type dict"),
]
WRONG_OPTIONS: list[tuple[Callable[[], object], str]] = [
    (lambda: edgeopt.Options(quantize="int8"), "quantize='int8': known are w8a8"),
    (lambda: edgeopt.Options(quantize=8), "quantize=8"),  # type: ignore[arg-type]
    (lambda: edgeopt.Options(objective="speed"), "objective='speed': known are latency, size"),  # type: ignore[arg-type]
    (lambda: edgeopt.Options(objective=None), "objective=None"),  # type: ignore[arg-type]
    (lambda: edgeopt.Options(method="median"), "method='median': known are auto, product"),
    (lambda: edgeopt.Options(emit="so"), "emit='so': known are c-library"),
    (lambda: edgeopt.Options(tune="yes"), "tune is of type str"),  # type: ignore[arg-type]
    (lambda: edgeopt.Options(debug=Context()), "debug is of type Context"),  # type: ignore[arg-type]
    (lambda: edgeopt.Debug(only=["no_such_pass"]), "only='no_such_pass': known are"),
    (lambda: edgeopt.Debug(only="dead_code"), "expected is a list of passes"),
    (lambda: edgeopt.Debug(print_after="all"), "print_after='all'"),  # type: ignore[arg-type]
    (lambda: edgeopt.Debug(context=3), "context is of type int"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[repr(w) for w, _ in WRONG])
def test_a_wrong_argument_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(edgeopt.EdgeoptError, match=message):
        edgeopt.compile(small_models.convolution(), **wrong)


@pytest.mark.parametrize(("make", "message"), WRONG_OPTIONS, ids=[m for _, m in WRONG_OPTIONS])
def test_a_wrong_option_is_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(edgeopt.EdgeoptError, match=message):
        make()


@pytest.mark.parametrize("model", [None, 3, b"\x08\x08", ["m.onnx"]])
def test_a_model_of_another_kind_is_refused(model: Any) -> None:
    with pytest.raises(edgeopt.EdgeoptError, match="model is of type"):
        edgeopt.compile(model)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True])
def test_threads_are_checked(threads: Any) -> None:
    model = edgeopt.compile(small_models.convolution(), level=0)
    with pytest.raises(edgeopt.EdgeoptError, match="threads="):
        model.run({"x": np.zeros((1, 3, 8, 8), np.float32)}, threads=threads)
    with pytest.raises(edgeopt.EdgeoptError, match="inputs is of type"):
        model.run(np.zeros((1, 3, 8, 8), np.float32))  # type: ignore[arg-type]


def test_debug_restricts_and_shows_the_passes() -> None:
    context, shown = Context(), list[str]()
    debug = edgeopt.Debug(context, ["canonicalize_conv"], lambda name, graph: shown.append(name))
    edgeopt.compile(DIGITS, options=edgeopt.Options(debug=debug))
    assert shown == ["canonicalize_conv"] and set(context.fired) == {"canonicalize_conv"}


def test_the_call_has_few_parameters() -> None:
    assert len(inspect.signature(edgeopt.compile).parameters) <= 8


def test_the_public_names_are_shown() -> None:
    assert set(edgeopt.__all__) <= set(dir(edgeopt)) and not [n for n in dir(edgeopt) if n.startswith("_") and n != "__version__"]
    text = pydoc.plain(pydoc.render_doc(edgeopt))
    for name in edgeopt.__all__:
        assert getattr(edgeopt, name) is not None and name in text, name
    assert "Compile ``model`` at optimisation ``level``" in text
