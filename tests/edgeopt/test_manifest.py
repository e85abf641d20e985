"""Manifests sealed with right checksums that say nonsense: an error before anything is allocated or run."""

from __future__ import annotations

import json
import lzma
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.artifact import strict
from edgeopt.runtime.manifest_check import MANIFEST_FIELDS
from tests.edgeopt import small_models
from tests.edgeopt.sealed import Manifest, sealed, swapped

X = np.ones((1, 3, 8, 8), np.float32)
NONSENSE: list[Any] = [
    None,
    True,
    -1,
    1 << 70,
    1.5,
    "",
    "../x",
    [],
    {},
    [None],
    [-1],
    [1 << 50] * 9,
    {"a": None},
    [[]],
    "x" * 5000,
]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sealed")
    edgeopt.compile(small_models.convolution()).save(folder / "native")
    edgeopt.compile(small_models.loop(), level=0).save(folder / "hosted")
    return {name: folder / name for name in ("native", "hosted")}


@pytest.fixture
def native(artifacts: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifacts["native"], tmp_path / "net"))


def attempt(folder: Path, x: Array) -> None:
    """Load and run; only an EdgeoptError may come out."""
    model = edgeopt.load(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.run({"x": x})


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a manifest."""
    yield prefix
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*prefix, key))


def put(manifest: Manifest, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        manifest = manifest[key]
    manifest[path[-1]] = value


@pytest.mark.parametrize("name", ["native", "hosted"])
def test_any_value_at_any_place_is_an_error_or_runs(artifacts: dict[str, Path], name: str, tmp_path: Path) -> None:
    """In place of every value in turn: nonsense is refused or does no harm, and never ends in anything else."""
    folder = Path(shutil.copytree(artifacts[name], tmp_path / "net"))
    original = json.loads((folder / "manifest.json").read_text())
    places = [path for path in paths(original) if path and path[0] not in ("digest", "format", "artifact")]
    random, refused = np.random.default_rng(1), 0
    for path in places:
        value = NONSENSE[random.integers(len(NONSENSE))]
        shutil.copy(artifacts[name] / "manifest.json", folder)
        sealed(folder, lambda manifest, path=path, value=value: put(manifest, path, value))  # type: ignore[misc]
        try:
            attempt(folder, X if name == "native" else np.ones(3, np.float32))
        except EdgeoptError:
            refused += 1
    assert refused > 0.6 * len(places)


@pytest.mark.parametrize("field", MANIFEST_FIELDS)
def test_a_field_that_is_missing_is_named(native: Path, field: str) -> None:
    sealed(native, lambda manifest: manifest.pop(field))
    with pytest.raises(EdgeoptError, match=f"lacks .*{field}"):
        edgeopt.load(native)


def grown(manifest: Manifest) -> None:
    manifest["outputs"][0]["shape"] = [1, 5000]


LIES: dict[str, Callable[[Manifest], object]] = {
    "larger output": grown,
    "smaller output": lambda m: m["outputs"][0].update(shape=[1, 1]),
    "smaller input": lambda m: m["inputs"][0].update(shape=[1, 1]),
    "other type": lambda m: m["inputs"][0].update(dtype="uint8"),
    "smaller arena": lambda m: m.update(arena_bytes=64),
    "no scratch": lambda m: m.update(scratch_bytes=0 if m["scratch_bytes"] else 64),
    "another name": lambda m: m.update(name="edgeopt_other"),
    "a loose input": lambda m: m["inputs"][0].update(place=None),
    "renamed": lambda m: m["inputs"][0].update(name="z"),
}


@pytest.mark.parametrize("lie", LIES)
def test_code_runs_only_with_the_memory_it_was_made_for(native: Path, lie: str) -> None:
    sealed(native, LIES[lie])
    model = edgeopt.load(native)
    shape = model.inputs[0].shape or (1, 3, 8, 8)
    with pytest.raises(EdgeoptError, match="compiled for other inputs|lacks"):
        model.run({model.inputs[0].name: np.ones(shape, model.inputs[0].dtype if model.inputs[0].placed else np.float32)})


def _constant(**fields: object) -> Manifest:
    return {"name": "w", "bytes": 4, "shape": [1], "entry": None, "block": None, "placement": None, **fields}


SENSE: dict[str, tuple[Callable[[Manifest], object], str]] = {
    "parts twice": (lambda m: m["parts"].append(dict(m["parts"][0])), "runs them twice"),
    "no parts": (lambda m: m.update(parts=[]), "parts"),
    "too many steps": (lambda m: m["parts"][0].update(last=10**6), "steps where there are"),
    "two names": (lambda m: m["inputs"].append(dict(m["inputs"][0])), "names one tensor twice"),
    "unknown memory": (lambda m: m["inputs"][0].update(place=["moon", 0]), "unknown memory"),
    "elsewhere": (lambda m: m["inputs"][0].update(place=["output", 0]), "lies at"),
    "no shape": (lambda m: m["inputs"][0].update(shape=None), "no shape"),
    "unknown type": (lambda m: m["inputs"][0].update(dtype="float7"), "unknown element type"),
    "huge": (lambda m: m["inputs"][0].update(shape=[1 << 30, 1 << 30]), "too large"),
    "many axes": (lambda m: m["inputs"][0].update(shape=[1] * 65), "too large"),
    "weights": (lambda m: m["storage"].update(coding="raw"), "not the size of weights.bin"),
    "no coding": (lambda m: m["storage"].update(coding="zip"), "names no form of storage"),
    "a tensor outside": (lambda m: m["storage"]["constants"].append(_constant(block=[0, 1 << 40])), "beyond the weights"),
    "a tensor nowhere": (lambda m: m["storage"]["constants"].append(_constant()), "at none"),
    "an odd placement": (lambda m: m["storage"]["constants"].append(_constant(placement=[0, ["x"]])), "is odd"),
    "a file outside": (lambda m: m["checksums"].update({"../../etc/passwd": "0" * 64}), "impossible file"),
    "the manifest": (lambda m: m["checksums"].update({"manifest.json": "0" * 64}), "impossible file"),
    "no file": (lambda m: (m["checksums"].pop("weights.bin"), m["sizes"].pop("weights.bin")), "lacks one of"),
    "cores": (lambda m: m["target"].update(cores=0), "cores"),
    "foreign fact": (lambda m: m["target"].update(moon=1), "unknown"),
}


@pytest.mark.parametrize("case", SENSE)
def test_fields_that_are_at_odds_are_named(native: Path, case: str) -> None:
    change, message = SENSE[case]
    sealed(native, change)
    with pytest.raises(EdgeoptError, match=message):
        edgeopt.load(native)


def test_host_steps_stay_inside_their_memory(artifacts: dict[str, Path], tmp_path: Path) -> None:
    for number, change in enumerate(
        [
            lambda b: b.update(place=["arena", 1 << 40]),
            lambda b: b.update(place=["weights", 1 << 20]),
            lambda b: b.update(place=["input", 7]),
            lambda b: b.update(shape=[5000], place=["input", 0]),
        ]
    ):
        folder = Path(shutil.copytree(artifacts["hosted"], tmp_path / str(number)))
        sealed(folder, lambda m, change=change: [change(b) for p in m["parts"] for b in p["inputs"] if b is not None])  # type: ignore[misc]
        with pytest.raises(EdgeoptError, match="beyond|at no input|another size"):
            edgeopt.load(folder)


@pytest.mark.parametrize(
    "code", [b"", b"\x7fELF", b"MZ" * 50, b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x01\x00\xb7\x00" + b"\0" * 900]
)
def test_code_that_is_none_is_refused(native: Path, code: bytes) -> None:
    for content in (code, lzma.compress(code), lzma.compress(code)[:-8], lzma.compress(code) + b"more"):
        swapped(native, "model.o.xz", content)
        with pytest.raises(EdgeoptError, match="code of the model"):
            edgeopt.load(native).run({"x": X})


def test_weights_of_another_size_are_refused(native: Path) -> None:
    sealed(native, lambda m: m.update(weights_bytes=m["weights_bytes"] + 64))
    with pytest.raises(EdgeoptError, match="other bytes than"):
        _ = edgeopt.load(native).weights


def test_a_model_that_lacks_a_node_is_an_error(artifacts: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(artifacts["hosted"], tmp_path / "net"))
    swapped(folder, "model.onnx", (artifacts["native"] / "model.onnx").read_bytes())
    with pytest.raises(EdgeoptError, match="not in its model.onnx|nowhere in the weights"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        edgeopt.load(folder).run({"x": np.ones(3, np.float32)})


@pytest.mark.parametrize(
    "text", ['{"format": 2, "format": 2}', '{"format": NaN}', "[" * 100_000, '{"format": 1' + "0" * 5000 + "}"]
)
def test_text_that_is_no_strict_json_is_refused(native: Path, text: str) -> None:
    (native / "manifest.json").write_text(text)
    with pytest.raises(EdgeoptError, match="not a compiled model"):
        edgeopt.load(native)


def test_what_is_written_is_strict_json(tmp_path: Path) -> None:
    compiled = edgeopt.compile(small_models.convolution())
    compiled.manifest["measured"] = {"snr": float("inf"), "loss": [float("nan"), 1.5]}
    compiled.save(tmp_path / "net")
    manifest = json.loads((tmp_path / "net" / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert manifest["measured"] == {"snr": None, "loss": [None, 1.5]} == strict(compiled.manifest["measured"])
    assert edgeopt.load(tmp_path / "net").manifest["measured"] == manifest["measured"]
