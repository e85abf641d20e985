"""Packs hold what variants have in common once, give back each variant bit for bit, and refuse what is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.explore.choice import parse_condition, spread
from edgeopt.explore.front_file import Front
from edgeopt.explore.pack import PIECES, Sizes, load_pack, save_pack
from edgeopt.explore.pieces import Pieces, joined
from edgeopt.explore.point import Point
from edgeopt.explore.selector import learnt
from edgeopt.ir import Array
from edgeopt.runtime.marks import MANIFEST
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.sealed import sealed
from tests.edgeopt.test_exchange import classifier

NAMES = ("small", "large")


def test_equal_pieces_are_stored_once() -> None:
    pieces = Pieces()
    first, second = b"a" * 100 + b"b" * 50, b"c" * 10 + b"a" * 100
    places = [pieces.add(first, [100]), pieces.add(second, [10]), pieces.add(first, [100])]
    assert [bytes(joined(pieces.content(), p)) for p in places] == [first, second, first]
    assert pieces.size == 160 and places[0] == [[0, 150]] and pieces.add(b"") == []


@pytest.fixture(scope="module")
def models() -> dict[str, edgeopt.CompiledModel]:
    model, _ = classifier()
    forms = {"small": {"first": "w8", "second": "w8"}, "large": {"first": "w8"}}
    return {name: edgeopt.compile(model, 1, options=edgeopt.Options(onnx=False, layer_forms=forms[name])) for name in NAMES}


def packed(models: dict[str, edgeopt.CompiledModel], folder: Path) -> tuple[Sizes, Array]:
    x = np.asarray(classifier()[1].arrays["x"][:40])
    selector = learnt(NAMES, models.__getitem__, {"x": x}, [1e-4, 2e-4])
    return save_pack([models[v.folder] for v in selector.variants], selector, folder), x


def test_variants_come_back_bit_for_bit_and_what_they_share_is_there_once(
    models: dict[str, edgeopt.CompiledModel], tmp_path: Path
) -> None:
    sizes, x = packed(models, tmp_path / "pack")
    pack = load_pack(tmp_path / "pack")
    for name in NAMES:
        for output, array in models[name].run({"x": x[:3]}).items():
            assert np.array_equal(pack.model(name).run({"x": x[:3]})[output], array)
    disk = sum(path.stat().st_size for path in (tmp_path / "pack").iterdir())
    assert disk == sizes.pack < sizes.apart and 0 < sizes.shared_weights < sizes.weights
    assert pack.names == NAMES and list(pack.run({"x": x[:1]}, deadline=1e-9)) == list(models["small"].run({"x": x[:1]}))
    with pytest.raises(EdgeoptError, match="known are small, large"):
        pack.model("other")


def test_what_is_damaged_or_no_pack_is_refused(models: dict[str, edgeopt.CompiledModel], tmp_path: Path) -> None:
    packed(models, tmp_path / "pack")
    with pytest.raises(EdgeoptError, match="several variants of a model: edgeopt.load_pack"):
        edgeopt.load(tmp_path / "pack")
    models["small"].save(tmp_path / "one")
    with pytest.raises(EdgeoptError, match="one model, no pack: edgeopt.load"):
        load_pack(tmp_path / "one")
    moved = json.loads((tmp_path / "pack" / MANIFEST).read_text())["variants"][0]["files"]["weights.bin"]
    sealed(tmp_path / "pack", lambda m: m["variants"][0]["files"].update({"weights.bin": [[p[0] + 1, p[1]] for p in moved]}))
    with pytest.raises(EdgeoptError, match=r"weights.bin of a variant differs"):
        load_pack(tmp_path / "pack").model("small")
    content = bytearray((tmp_path / "pack" / PIECES).read_bytes())
    content[10] ^= 1
    (tmp_path / "pack" / PIECES).write_bytes(content)
    with pytest.raises(EdgeoptError, match="damaged"):
        load_pack(tmp_path / "pack")


def test_points_are_spread_from_the_fastest_to_the_most_accurate() -> None:
    points = [Point(90 + k, 10.0**k, 1, 1, 1, {}) for k in range(5)] + [Point(80, 50, 1, 1, 1, {})]
    assert [p.accuracy for p in spread(points, [], 3)] == [90, 92, 94]
    assert [p.accuracy for p in spread(points, [parse_condition("accuracy>=93")], 3)] == [93, 94]
    assert [p.accuracy for p in spread(points, [], 1)] == [94]


def test_the_command_packs_points(tmp_path: Path) -> None:
    model, data = classifier()
    sizes = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "d.npz", x=data.arrays["x"], labels=data.labels)  # type: ignore[arg-type]
    forms = {"first": {"quantize": "w8"}}
    points = [Point(90, 1e-4, 1, 1, 1, {**forms, "second": {"quantize": "w8"}}), Point(95, 2e-4, 1, 1, 1, forms)]
    (tmp_path / "f.json").write_text(Front(str(tmp_path / "m.onnx"), "host", 2, points[1], points, {"x": sizes}).text())
    given = ("select", str(tmp_path / "f.json"), "--pack", str(tmp_path / "pack"))
    assert command(*given).exit_code == 2  # no data
    made = command(*given, "--data", str(tmp_path / "d.npz"), "--json")
    assert made.exit_code == 0, made.stderr
    taken = json.loads(made.stdout)["result"]["bytes"]
    assert load_pack(tmp_path / "pack").names == ("variant-0", "variant-1") and taken["pack"] < taken["apart"]
    gone = [replace(points[0], forms={"gone": {"quantize": "w8"}})]
    (tmp_path / "f.json").write_text(Front(str(tmp_path / "m.onnx"), "host", 2, points[1], gone).text())
    made = command("select", str(tmp_path / "f.json"), "--pack", str(tmp_path / "other"), "--data", str(tmp_path / "d.npz"))
    assert made.exit_code == 1 and "Error: a point of the front, step 1: there is no layer 'gone'" in made.stderr
