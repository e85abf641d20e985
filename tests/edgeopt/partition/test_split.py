"""A split on disk: compiled tiles give the bits of the whole network, here and on neighbours, whatever becomes of those."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper

import edgeopt
from edgeopt.cli.main import main
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.partition.grid.shipped import HERE, Tiled, tiles_served
from edgeopt.partition.grid.split import split
from edgeopt.serve.server import Server
from edgeopt.target import target
from tests.edgeopt.small_models import info, model, weight

X = np.random.default_rng(2).standard_normal((1, 3, 33, 31)).astype(np.float32)


def network() -> onnx.ModelProto:
    """Stride, an uneven map, branches of different reach, a pool that rounds up, then a dense layer."""
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"]),
        helper.make_node("Conv", ["b", "w2"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Concat", ["c", "d"], ["e"], axis=1),
        helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        helper.make_node("Conv", ["f", "w3"], ["g"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["g"], ["h"]),
        helper.make_node("Flatten", ["h"], ["y"]),
    ]
    weights = [weight("w0", 16, 3, 3, 3), weight("w1", 16, 16, 1, 1), weight("w2", 16, 16, 3, 3), weight("w3", 16, 32, 3, 3)]
    return model(nodes, [info("x", X.shape)], [info("y", (1, 16))], weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("split")
    onnx.save(network(), place / "small.onnx")
    until = next(n.output.name for n in load(place / "small.onnx").nodes if n.op == "MaxPool")
    arguments = ["partition", str(place / "small.onnx"), "--split", "grid", "--until", until, "-o", str(place / "split")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "redundant work" in result.output and "tile-3" in result.output
    return place


@pytest.fixture(scope="module")
def expected(folder: Path) -> Array:
    return edgeopt.compile(folder / "small.onnx").run({"x": X})["y"]


def test_tiles_run_here(folder: Path, expected: Array) -> None:
    answer = Tiled(folder / "split").run({"x": X})
    np.testing.assert_array_equal(answer.outputs["y"], expected)
    assert list(answer.where) == ["tile-0", "tile-1", "tile-2", "tile-3"]


def test_tiles_run_on_neighbours_and_survive_them(folder: Path, expected: Array) -> None:
    servers = [Server(tiles_served(folder / "split", None, 1), port=0) for _ in range(2)]
    for server in servers:
        server.start()
    addresses = ["{}:{}".format(*server.address) for server in servers]
    tiled = Tiled(folder / "split", addresses)
    answer = tiled.run({"x": X}, 20.0)
    np.testing.assert_array_equal(answer.outputs["y"], expected)
    assert list(answer.where.values()) == addresses * 2
    for server in servers:
        server.shutdown()
        server.server_close()
        answer = tiled.run({"x": X}, 20.0)
        np.testing.assert_array_equal(answer.outputs["y"], expected)
    assert set(answer.where.values()) == {HERE}


def test_memory_falls_and_redundant_work_is_that_of_the_halo(folder: Path) -> None:
    found = split(folder / "small.onnx", 2, 2, target("host"))
    assert max(found.memory[name].maps for name in found.tiles) < 0.6 * found.whole.maps
    whole = split(folder / "small.onnx", 1, 1, target("host"), found.front.end.name)
    assert whole.redundant == 0 < found.redundant < 1


def test_what_cannot_be_is_one_message(folder: Path, tmp_path: Path) -> None:
    for arguments, reason in (
        (["--split", "grid", "--until", "moon"], "tiles cannot end at 'moon'; they can at"),
        (["--split", "grid", "--grid", "99x99", "--until", "f"], "cannot be cut into 99x99"),
    ):
        result = CliRunner().invoke(main, ["partition", str(folder / "small.onnx"), *arguments])
        assert result.exit_code == 1 and reason in result.output
    assert CliRunner().invoke(main, ["partition", str(folder / "small.onnx")]).exit_code == 2
    with pytest.raises(EdgeoptError, match="no tile 'tile-9'"):
        tiles_served(folder / "split", "tile-9", 1)
    spans = ([-1, 4], [4, 4], [0, float("inf")])
    tiles: list[dict[str, Any]] = [{"../x": {}}, *({"t": {"x": [rows, [0, 4]]}} for rows in spans)]
    records = [json.dumps({"format": "edgeopt-split-1", "tiles": row, "rest": "rest"}) for row in tiles]
    for text in ("{}", "[]", *records):
        (tmp_path / "split.json").write_text(text)
        with pytest.raises(EdgeoptError, match="is no split"):
            Tiled(tmp_path)
    with pytest.raises(EdgeoptError, match="no map of at least"):
        Tiled(folder / "split").run({"x": X[:, :, :9]})
