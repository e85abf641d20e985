"""The library: every argument is checked with one message, results are those of the commands, the public names are shown."""

from __future__ import annotations

import inspect
import json
import math
import pydoc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.rewrite import Context
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS, EVALUATION, EXAMPLES, answered, compiled
from tests.edgeopt.command_line import edgeopt as command

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


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"))


def printed(*arguments: str | Path) -> dict[str, Any]:
    """What a command prints with --json."""
    result = command(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(answered(result))


def test_verify_is_the_command(artifact: Path) -> None:
    for model in (artifact, edgeopt.load(artifact)):
        found = edgeopt.verify(DIGITS, model, samples=2, seed=3)
        assert found.passed and json.loads(json.dumps(asdict(found))) == printed(
            "verify", DIGITS, artifact, "--samples", "2", "--seed", "3"
        )
    assert not edgeopt.verify(DIGITS, artifact, tolerance=0.0, engine="onnx.reference", samples=1).passed


def test_inspect_is_the_command(artifact: Path) -> None:
    for model in (DIGITS, artifact):
        found = edgeopt.inspect(model)
        layers = [asdict(layer) for layer in found.layers]
        assert {"layers": layers, "totals": asdict(found.totals), **found.sizes} == printed("inspect", model)
    assert edgeopt.inspect(edgeopt.load(artifact)) == edgeopt.inspect(artifact)
    estimated = edgeopt.inspect(DIGITS, 2, target="cortex-a53").costs
    assert estimated is not None
    shown = printed("inspect", DIGITS, "-O2", "--target", "cortex-a53")
    assert [asdict(c) | {"kernels": list(c.kernels)} for c in estimated.layers] == shown["layers"]
    assert estimated.seconds == shown["totals"]["seconds"]


def test_why_is_the_command() -> None:
    calibration = EXAMPLES / "digits.cal.npz"
    found = edgeopt.why(DIGITS, EVALUATION, calibration, target="cortex-a53", samples=16)
    given = ("--data", EVALUATION, "--calibration", calibration, "--target", "cortex-a53", "--samples", "16")
    assert json.loads(json.dumps(asdict(found))) == printed("why", DIGITS, *given)


def test_bench_and_gains_are_the_command(artifact: Path) -> None:
    shown = printed("bench", artifact, "--seconds", "0.02")
    for model in (artifact, edgeopt.load(artifact)):
        found = edgeopt.bench(model, seconds=0.02)
        assert json.loads(json.dumps(asdict(found))).keys() == shown.keys() and found.model == shown["model"]
        assert found.engines["edgeopt"].runs >= 5 and found.engines["edgeopt"].minimum_ms > 0
    paying = edgeopt.gains(DIGITS, "w8a8", 3, target="cortex-a53")
    rows = printed("bench", DIGITS, "--quantize", "w8a8", "-O3", "--target", "cortex-a53")["layers"]
    assert [asdict(g) | {"pays": g.pays} for g in paying.layers] == rows


EXAMINED: list[tuple[Callable[[Path], object], str]] = [
    (lambda a: edgeopt.verify(3, a), "original is of type int"),  # type: ignore[arg-type]
    (lambda a: edgeopt.verify("no.onnx", a), "original: there is no file"),
    (lambda a: edgeopt.verify(DIGITS, a, samples=0), "samples=0"),
    (lambda a: edgeopt.verify(DIGITS, a, tolerance=math.nan), "tolerance=nan"),
    (lambda a: edgeopt.verify(DIGITS, a, engine="torch"), "engine='torch': known are onnxruntime"),
    (lambda a: edgeopt.verify(DIGITS, a, data="no.npz"), "data: there is no file"),
    (lambda a: edgeopt.bench(a, threads=0), "threads=0"),
    (lambda a: edgeopt.bench(a, seconds=-1), "seconds=-1"),
    (lambda a: edgeopt.bench(a, against=["tflite"]), "against='tflite': known are ort"),
    (lambda a: edgeopt.bench(a, against="ort"), "expected is a list of engines"),
    (lambda a: edgeopt.bench(None), "model is of type NoneType"),  # type: ignore[arg-type]
    (lambda a: edgeopt.inspect(a, 9), "level=9"),
    (lambda a: edgeopt.inspect(a, target="no-such-board"), "no-such-board"),
    (lambda a: edgeopt.inspect([a]), "model is of type list"),  # type: ignore[arg-type]
    (lambda a: edgeopt.why(DIGITS, quantize="w9"), "quantize='w9'"),
    (lambda a: edgeopt.why(DIGITS, 7), "data is of type int"),  # type: ignore[arg-type]
    (lambda a: edgeopt.why(DIGITS, samples=0), "samples=0"),
    (lambda a: edgeopt.why(DIGITS, calibration="no.npz"), "calibration: there is no file"),
    (lambda a: edgeopt.gains(DIGITS, "w9"), "quantize='w9'"),
    (lambda a: edgeopt.load(3), "directory is of type int"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), EXAMINED, ids=[m for _, m in EXAMINED])
def test_what_examines_checks_its_arguments(call: Callable[[Path], object], message: str, artifact: Path) -> None:
    with pytest.raises(edgeopt.EdgeoptError, match=message):
        call(artifact)


def test_an_unknown_keyword_leads_to_the_options() -> None:
    asked: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
        (edgeopt.compile, {"quantize": "w8a8"}, r"takes no quantize=; it is an option: .*edgeopt.Options\(quantize=...\)"),
        (edgeopt.compile, {"quantise": "w8a8"}, r"did you mean options=edgeopt.Options\(quantize=...\)"),
        (edgeopt.compile, {"levl": 2}, "did you mean level"),
        (edgeopt.compress, {"budget": 2}, "compress takes no budget=; known are model, recipe, data"),
    ]
    for function, given, why in asked:
        with pytest.raises(edgeopt.EdgeoptError, match=why):
            function(DIGITS, **given)
    assert list(inspect.signature(edgeopt.compile).parameters)[:3] == ["model", "level", "target"]
