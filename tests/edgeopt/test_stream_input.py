"""Inputs that come in row by row: the same codes as from the whole, in less memory, or a reason why not."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, TensorType, Value
from edgeopt.ir.clone import clone
from edgeopt.lower.front import front
from edgeopt.lower.ports import Interface
from edgeopt.ops import infer_types
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.self_test import self_test
from edgeopt.runtime.writing import FileForm
from edgeopt.target import Target, host, target
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.emulation import needs_tool
from tests.edgeopt.test_microcontrollers import needs_board
from tests.kernels.channels_last.networks import CHAIN, Layer, chain, scalar_host

SMALL = (
    Layer(8, (3, 3), strides=(2, 2), pads=(0, 0, 1, 1), activation="Relu"),
    Layer(8, (3, 3), pads=(1, 1, 1, 1), depthwise=True, activation="Relu"),
    Layer(16, activation="Relu"),
    Layer(16, (3, 3), strides=(2, 2), pads=(0, 0, 1, 1), depthwise=True, activation="Relu"),
    Layer(16),
)
ODD = (
    Layer(7, (5, 2), strides=(3, 1), pads=(4, 1, 4, 0)),
    Layer(1, (1, 1), activation="Relu"),
    Layer(5, (3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
    Layer(5, (1, 1), strides=(2, 2)),
    Layer(5, (5, 1), pads=(3, 0, 1, 0), depthwise=True),
)
FORM = FileForm(coded=False, onnx=False)


def pictures(layers: Sequence[Layer], height: int, width: int, channels: int) -> tuple[Graph, Array]:
    """A chain over a picture with its channels last, whose last two results are added."""
    graph, x = chain(layers, (1, channels, height, width))
    old, new = graph.inputs[0], Value("picture", TensorType("int8", (1, height, width, channels)))
    first = graph.nodes[0]
    turned = graph.make("Transpose", [new], [old.type], first, attributes={"perm": [0, 3, 1, 2]})
    for node, index in list(old.uses):
        node.set_input(index, turned.output)
    graph.inputs = [new]
    infer_types(graph)
    return graph, np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def library(graph: Graph, facts: Target, rows: bool = True) -> CompiledModel:
    interface = Interface(codes=True, arena=False, rows=rows)
    return assemble(clone(graph), facts, 2, symbol="net", library=True, form=FORM, interface=interface)


@pytest.mark.parametrize(("layers", "size"), [(SMALL, (19, 22, 3)), (ODD, (23, 9, 2)), (CHAIN, (12, 10, 5)), (SMALL, (4, 5, 1))])
def test_rows_give_the_codes_of_the_whole(layers: Sequence[Layer], size: tuple[int, int, int]) -> None:
    needs_tool("cc")
    graph, x = pictures(layers, *size)
    right = assemble(clone(graph), host()).run({"picture": x})
    with Emulator(library(graph, scalar_host())) as emulator:
        for name, codes in emulator.run({"picture": x}).items():
            np.testing.assert_array_equal(codes, right[name])


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m55", "rv32imc"])
def test_rows_take_less_memory_on_a_board(name: str) -> None:
    needs_board(name)
    graph, x = pictures(SMALL, 40, 40, 3)
    right = assemble(clone(graph), host()).run({"picture": x})
    whole, rows = library(graph, target(name), False), library(graph, target(name))
    with Emulator(rows) as emulator:
        for output, codes in emulator.run({"picture": x}).items():
            np.testing.assert_array_equal(codes, right[output])
        used = int(np.fromfile(emulator.folder / "stack.bin", np.uint32)[0])
    assert _ram(rows) < 0.5 * _ram(whole)
    assert used < _ram(rows) - rows.manifest["arena_bytes"] + 64  # the stack is part of what is said


def _ram(model: CompiledModel) -> int:
    (note,) = (n for n in model.manifest["notes"] if n.startswith("flash"))
    return int(note.split("RAM ")[1].split()[0].replace(",", ""))


MAIN = """
#include "net.h"
#include <stdio.h>
static _Alignas(NET_ALIGNMENT) unsigned char arena[NET_ARENA_BYTES], weights[NET_WEIGHTS_BYTES];
static unsigned char file[NET_FILE_BYTES], frame[64 * 100];
static int8_t made[2][NET_OUTPUT_0_ELEMENTS];
int main(void) {
  void *outputs[] = {made[0]};
  const unsigned char *region = frame + 5 * 100 + 12;
  FILE *f = fopen("weights.bin", "rb");
  if (fread(file, 1, sizeof file, f) != sizeof file || net_init(file, sizeof file, weights)) return 1;
  f = fopen("frame.bin", "rb");
  if (fread(frame, 1, sizeof frame, f) != sizeof frame) return 2;
  for (int again = 0; again < 2; again++) {
    if (net_stream_begin(arena) || net_stream_end(outputs, arena, weights) != NET_ERROR_ROWS) return 3;
    for (int row = 0, count = 1; row < NET_INPUT_0_ROWS; row += count, count = 1 + row % 3) {
      if (count > NET_INPUT_0_ROWS - row) count = NET_INPUT_0_ROWS - row;
      if (net_stream_rows(region + row * 100, count, 100, arena, weights)) return 4;
    }
    if (net_stream_rows(region, 1, 100, arena, weights) != NET_ERROR_ROWS) return 5;
    if (net_stream_end(outputs, arena, weights)) return 6;
  }
  if (net_stream_begin(0) != NET_ERROR_NULL || net_stream_begin(arena + 1) != NET_ERROR_ALIGNMENT) return 7;
  if (net_stream_rows(0, 1, 100, arena, weights) != NET_ERROR_NULL) return 8;
  if (net_stream_end(0, arena, weights) != NET_ERROR_NULL) return 8;
  static unsigned char whole[NET_INPUT_0_BYTES];
  for (int row = 0; row < NET_INPUT_0_ROWS; row++)
    for (int i = 0; i < NET_INPUT_0_ROW_BYTES; i++) whole[row * NET_INPUT_0_ROW_BYTES + i] = region[row * 100 + i];
  const void *inputs[] = {whole};
  outputs[0] = made[1];
  if (net_run(inputs, outputs, arena, weights)) return 9;
  f = fopen("out.bin", "wb");
  return fwrite(made, 1, sizeof made, f) != sizeof made || fclose(f) ? 10 : 0;
}
"""


def test_a_region_of_a_larger_picture_is_read_where_it_lies(tmp_path: Path) -> None:
    """By offset and stride, some rows at once; too many, too few and null pointers are errors; ``net_run`` does the same."""
    needs_tool("cc")
    graph, _ = pictures(SMALL, 19, 22, 3)
    frame = np.random.default_rng(5).integers(-128, 128, (64, 100)).astype(np.int8)
    region = frame[5:24, 12 : 12 + 66].reshape(1, 19, 22, 3)
    model = library(graph, scalar_host())
    for name in ("libmodel.a", "model.h", "weights.bin"):
        (tmp_path / name.replace("model.h", "net.h")).write_bytes(model.files[name])
    frame.tofile(tmp_path / "frame.bin")
    (tmp_path / "main.c").write_text(MAIN)
    build = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "main.c", "libmodel.a", "-lm", "-o", "main"]
    subprocess.run(build, cwd=tmp_path, check=True)
    assert subprocess.run(["./main"], cwd=tmp_path, check=False).returncode == 0
    (right,) = assemble(clone(graph), host()).run({"picture": region}).values()
    for made in np.fromfile(tmp_path / "out.bin", np.int8).reshape(2, -1):
        np.testing.assert_array_equal(made, right.reshape(-1))


def test_a_self_test_reads_its_sample_from_where_it_lies() -> None:
    graph, x = pictures(SMALL, 19, 22, 3)
    model = library(graph, scalar_host())
    text = self_test(model.manifest, {"picture": x}, {output["name"]: x for output in model.manifest["outputs"]})
    assert "memcpy" not in text and "net_run(inputs" in text


def _refused(graph: Graph, words: str) -> None:
    with pytest.raises(EdgeoptError, match=words):
        library(graph, scalar_host())


def test_what_cannot_be_streamed_is_said() -> None:
    planes, _ = chain(SMALL, (1, 3, 9, 9))
    _refused(planes, "channels lie in planes; --input x=uint8,nhwc")
    several, _ = pictures(SMALL, 9, 9, 3)
    several.inputs.append(Value("other", TensorType("int8", (1, 2))))
    _refused(several, "has 2 \\('picture', 'other'\\)")
    joined, _ = pictures((Layer(3, (3, 3), pads=(1, 1, 1, 1)),), 9, 9, 3)
    _refused(joined, "is read by 2 layers")
    with pytest.raises(EdgeoptError, match="lie in blocks of channels"):
        library(planes, host())


def test_floats_are_to_be_quantised() -> None:
    with pytest.raises(EdgeoptError, match="compute in float32.*quantise"):
        edgeopt.compile(DIGITS, target="cortex-m4", options=edgeopt.Options(stream_input=True))
    with pytest.raises(EdgeoptError, match="FusedConv.*computes in float32.*quantise"):
        raw = {"image": "uint8,nhwc"}
        edgeopt.compile(DIGITS, target="cortex-m4", options=edgeopt.Options(stream_input=True, inputs=raw))
    with pytest.raises(EdgeoptError, match="stream_input is for microcontrollers"):
        edgeopt.compile(DIGITS, options=edgeopt.Options(stream_input=True))


def test_the_front_ends_where_maps_are_joined_or_rows_are_not_enough() -> None:
    graph, _ = pictures(SMALL, 19, 22, 3)
    found = front(graph)
    assert [len(piece.nodes) for piece in found.pieces] == [1, 2, 1]  # the last layer is read twice, with its input
    assert "is read by 2 layers" in found.end
    assert [(p.window.rows, p.window.stride, p.window.above) for p in found.pieces] == [(3, 2, 0), (3, 1, 1), (3, 2, 0)]


def test_pools_that_reach_beyond_a_map_end_the_front() -> None:
    graph, _ = pictures(SMALL[:2], 19, 22, 3)
    first = graph.nodes[1]
    pool = Node("MaxPool", [first.output], [Value("p", first.output.type)], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})
    graph.insert(pool, graph.nodes[2])
    for node, index in list(first.output.uses):
        if node is not pool:
            node.set_input(index, pool.output)
    found = front(graph)
    assert len(found.pieces) == 1 and "reach above or below" in found.end


def test_maps_of_other_types_end_the_front() -> None:
    """A pool in float between two quantised layers: rows of bytes come that far, and what follows is computed as a whole."""
    needs_tool("cc")
    graph, x = pictures(SMALL, 19, 22, 3)
    first, second = graph.nodes[1:3]
    grid = [graph.constant("scale", np.array(0.03, np.float32)), graph.constant("zero", np.array(-3, np.int8))]
    real = graph.make("DequantizeLinear", [first.output, *grid], [None], second).output
    pooled = graph.make("MaxPool", [real], [None], second, attributes={"kernel_shape": [2, 2]}).output
    second.set_input(0, graph.make("QuantizeLinear", [pooled, *grid], [None], second).output)
    infer_types(graph)
    assert [[node.op for node in piece.nodes] for piece in front(graph).pieces] == [["QuantConv"]]
    right = assemble(clone(graph), host()).run({"picture": x})
    with Emulator(library(graph, scalar_host())) as emulator:
        for name, codes in emulator.run({"picture": x}).items():
            np.testing.assert_array_equal(codes, right[name])


def test_the_command_says_what_is_streamed(tmp_path: Path) -> None:
    data = Path(DIGITS).with_name("digits.eval.npz")
    given = ["compile", str(DIGITS), "-O2", "--quantize", "w8a8", "--data", str(data), "--target", "cortex-m4"]
    done = command(*given, "--stream-input", "-o", str(tmp_path / "net"))
    assert done.exit_code == 0, done.output
    assert "8 rows of 'image', 8 B each, are streamed" in done.output
    header = (tmp_path / "net" / "digits.h").read_text()
    assert "digits_stream_rows" in header and "#define DIGITS_INPUT_0_ROWS 8" in header
    assert "digits_stream_rows" in (tmp_path / "net" / "digits.rs").read_text()
    again = edgeopt.load(tmp_path / "net")  # the manifest is checked
    assert again.manifest["interface"]["rows"] == [8, 8]


def test_what_prepares_pixels_runs_row_by_row_too() -> None:
    """Factors by channel, in float, between a picture of bytes and the codes of the first layer."""
    needs_tool("cc")
    graph, _ = pictures(SMALL, 19, 22, 3)
    picture, first, old = graph.inputs[0], graph.nodes[1], graph.nodes[0].output
    picture.type = old.type = None
    picture.type = TensorType("uint8", (1, 19, 22, 3))
    one, zero = graph.constant("one", np.array(1, np.float32)), graph.constant("zero", np.array(0, np.uint8))
    factor = graph.constant("factor", np.array([0.011, 0.012, 0.013], np.float32).reshape(1, 3, 1, 1))
    grid = [graph.constant("scale", np.array(0.02, np.float32)), graph.constant("mid", np.array(7, np.int8))]
    real = graph.make("DequantizeLinear", [old, one, zero], [None], first).output
    scaled = graph.make("Mul", [real, factor], [None], first).output
    first.set_input(0, graph.make("QuantizeLinear", [scaled, *grid], [None], first).output)
    infer_types(graph)
    x = np.random.default_rng(8).integers(0, 256, (1, 19, 22, 3)).astype(np.uint8)
    right = assemble(clone(graph), host()).run({"picture": x})
    assert [len(piece.nodes) for piece in front(graph).pieces] == [3, 1, 2, 1]
    with Emulator(library(graph, scalar_host())) as emulator:
        for name, codes in emulator.run({"picture": x}).items():
            np.testing.assert_array_equal(codes, right[name])


@pytest.mark.parametrize(
    "layers",
    [
        (Layer(5, (1, 1), pads=(1, 1, 1, 1)), Layer(5, (3, 3), pads=(1, 1, 1, 1))),
        (Layer(5, (3, 3), pads=(1, 1, 1, 1)), Layer(4, (3, 3), pads=(3, 0, 0, 0)), Layer(4, (3, 3), pads=(1, 1, 1, 1))),
    ],
)
def test_rows_that_lie_above_the_map_end_the_front(layers: Sequence[Layer]) -> None:
    """They would be made before any row has come: refused where nothing is left to stream, else the same codes."""
    needs_tool("cc")
    graph, x = pictures(layers, 9, 8, 3)
    if len(layers) == 2:
        _refused(graph, "above the map as a whole")
        return
    right = assemble(clone(graph), host()).run({"picture": x})
    with Emulator(library(graph, scalar_host())) as emulator:
        for name, codes in emulator.run({"picture": x}).items():
            np.testing.assert_array_equal(codes, right[name])
