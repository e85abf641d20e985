"""Inputs and outputs of a microcontroller's library: codes with a scale and a zero point, in the arena."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper, parser

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.lower.ports import Interface, code_ports, left_in_float
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.interface import to_codes, to_reals
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.writing import FileForm
from edgeopt.search.output_codes import code_outputs
from edgeopt.target import host, target
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_microcontrollers import needs_board
from tests.kernels.channels_last.networks import CHAIN, chain


def network(shape: str = "1,4,6,5") -> ModelProto:
    """A quantised convolution between conversions, as files of other quantisers have it."""
    body = """
        q = QuantizeLinear(x, s, z)  d = DequantizeLinear(q, s, z)
        wd = DequantizeLinear<axis=0>(w, ws, wz)
        c = Conv<pads=[1,1,1,1]>(d, wd)
        p = QuantizeLinear(c, t, z)  y = DequantizeLinear(p, t, z)"""
    head = f'<ir_version: 10, opset_import: ["" : 21]> coded (float[{shape}] x) => (float[1,3,6,5] y)'
    constants = "<float s = {0.02}, int8 z = {-5}, float t = {0.05}, float[3] ws = {0.01, 0.02, 0.015}, int8[3] wz = {0, 0, 0}>"
    model = parser.parse_model(f"{head} {constants} {{ {body} }}")
    weights = np.random.default_rng(1).integers(-127, 128, (3, 4, 3, 3)).astype(np.int8)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return model


def compiled(*interface: str) -> CompiledModel:
    options = edgeopt.Options(interface=interface)
    return edgeopt.compile(network(), 1, "cortex-m4", options=options)


def samples() -> Array:
    return np.random.default_rng(3).standard_normal((3, 4, 6, 5)).astype(np.float32)


@pytest.mark.parametrize("interface", [("codes",), ("arena",), ("codes", "arena")])
def test_every_interface_gives_the_numbers_of_floats_in_the_callers_memory(interface: tuple[str, ...]) -> None:
    needs_board("cortex-m4")
    right = edgeopt.compile(network()).run({"x": samples()})["y"]
    model = compiled(*interface)
    with Emulator(model) as emulator:
        made = emulator.run({"x": samples()})["y"]
        np.testing.assert_array_equal(made, right)
    coded = to_codes({"y": right}, model.manifest)["y"]
    assert coded.dtype == (np.int8 if "codes" in interface else np.float32)
    np.testing.assert_array_equal(to_reals({"y": coded}, model.manifest)["y"], right)


def test_what_lies_in_the_arena_is_not_counted_twice() -> None:
    def ram(*interface: str) -> tuple[int, int]:
        (note,) = (n for n in compiled(*interface).manifest["notes"] if n.startswith("flash"))
        return tuple(int(note.split(f"{word} ")[1].split()[0].rstrip(";").replace(",", "")) for word in ("RAM", "outputs"))  # type: ignore[return-value]

    floats, codes, arena = ram(), ram("codes"), ram("codes", "arena")
    assert floats[1] == 4 * (120 + 90) and codes[1] == 120 + 90 and arena[1] == 0
    assert arena[0] < codes[0] < floats[0]


def test_the_arena_holds_its_inputs_at_once_and_its_outputs_at_last() -> None:
    graph, x = chain(CHAIN, (1, 5, 12, 10))
    facts, form = target("cortex-m4"), FileForm(coded=False, onnx=False)
    plain = assemble(chain(CHAIN, (1, 5, 12, 10))[0], facts, symbol="small", library=True, form=form).manifest
    model = assemble(graph, facts, symbol="small", library=True, form=form, interface=Interface(arena=True))
    about = model.manifest
    assert about["interface"]["offsets"].keys() == {p["name"] for p in (*about["inputs"], *about["outputs"])}
    outputs = sum(int(np.prod(p["shape"])) for p in about["outputs"])
    assert about["arena_bytes"] <= plain["arena_bytes"] + x.size + outputs + 3 * 64
    needs_board("cortex-m4")
    with Emulator(model) as emulator:
        made = emulator.run({"x": np.concatenate([x, x[..., ::-1].copy()])})
    right = assemble(graph, host()).run({"x": np.concatenate([x, x[..., ::-1].copy()])})
    for name, codes in right.items():
        np.testing.assert_array_equal(made[name], codes)


def test_what_the_network_reads_as_a_float_stays_one() -> None:
    body = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Add(d, x)"
    head = '<ir_version: 10, opset_import: ["" : 21]> both (float[1,4] x) => (float[1,4] y) <float s = {0.1}, int8 z = {0}>'
    graph = edgeopt.frontend.load(parser.parse_model(f"{head} {{ {body} }}"))
    assert code_ports(graph) == {} and "'x', 'y' stay float32" in left_in_float(graph)[0]
    note = edgeopt.compile(DIGITS, 1, "cortex-m4", options=edgeopt.Options(interface=["codes"])).manifest["notes"]
    assert any("no codes: 'image'" in line for line in note)


def test_an_interface_is_for_microcontrollers(tmp_path: Path) -> None:
    with pytest.raises(edgeopt.EdgeoptError, match="interface is for microcontrollers"):
        edgeopt.compile(DIGITS, options=edgeopt.Options(interface=["arena"]))
    with pytest.raises(edgeopt.EdgeoptError, match="expected is a list"):
        edgeopt.Options(interface="arena")
    assert command("compile", DIGITS, "--interface", "flash", "-o", tmp_path / "d").exit_code == 2


def test_commands_take_floats_all_the_same(tmp_path: Path) -> None:
    needs_board("cortex-m4")
    onnx.save(network(), tmp_path / "coded.onnx")
    np.savez(tmp_path / "x.npz", x=samples())
    made = ("--target", "cortex-m4", "--interface", "codes,arena", "-o", tmp_path / "d")
    assert command("compile", tmp_path / "coded.onnx", *made).exit_code == 0
    against = ("--against", tmp_path / "coded.onnx", "--max-drop", "0", "--emulate")
    assert command("eval", tmp_path / "d", "--data", tmp_path / "x.npz", *against).exit_code == 0
    for more in ((), ("--input", tmp_path / "x.npz")):
        found = command("verify", tmp_path / "coded.onnx", tmp_path / "d", "--emulate", "--tolerance", "0.004", *more)  # a code
        assert found.exit_code == 0, found.output
    assert (
        command("run", tmp_path / "d", "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz", "--emulate").exit_code == 0
    )
    right = edgeopt.compile(network()).run({"x": samples()})["y"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y"], right)


def test_an_artifact_says_where_its_inputs_lie(tmp_path: Path) -> None:
    compiled("codes", "arena").save(tmp_path / "d")
    read = edgeopt.load(tmp_path / "d").manifest["interface"]
    assert read["codes"]["x"] == {"dtype": "int8", "scale": pytest.approx(0.02), "zero_point": -5} and read["offsets"].keys() == {
        "x",
        "y",
    }
    header = (tmp_path / "d" / "coded.h").read_text()
    assert "CODED_INPUT_0_ZERO_POINT (-5)" in header and "#define CODED_OUTPUT_0_OFFSET" in header


def test_what_is_computed_in_float_at_last_is_rounded_to_codes() -> None:
    """Logits by their range on data, probabilities by their bounds; what has neither, and float networks, stay as they are."""
    graph = edgeopt.compile(network()).graph
    samples_of = DataSet({"x": samples()})
    body = "c = Conv<pads=[1,1,1,1]>(d, wd) y = Softmax<axis=1>(c)"
    soft = edgeopt.compile(_with_end(body)).graph
    for subject, data, expected in ((soft, None, (1 / 256, -128)), (edgeopt.compile(_with_end(LOGITS)).graph, samples_of, None)):
        before = interpret(subject, {"x": samples()[:1]})["y"]
        code_outputs(subject, data)
        after = interpret(subject, {"x": samples()[:1]})["y"]
        codes = code_ports(subject)["y"]
        assert np.abs(after - before).max() <= 1.01 * codes.scale  # 1 is one code less, as everywhere
        assert expected is None or (codes.scale, codes.zero) == expected
    plain = edgeopt.compile(_with_end(LOGITS)).graph
    code_outputs(plain, None)
    assert "y" not in code_ports(plain)
    count = len(graph.nodes)
    code_outputs(graph, samples_of)  # dequantised at last already
    assert len(graph.nodes) == count


LOGITS = "y = Conv<pads=[1,1,1,1]>(d, wd)"


def _with_end(end: str) -> ModelProto:
    """The quantised convolution with another end."""
    model = network()
    head = '<ir_version: 10, opset_import: ["" : 21]> coded (float[1,4,6,5] x) => (float[1,3,6,5] y)'
    constants = "<float s = {0.02}, int8 z = {-5}, float[3] ws = {0.01, 0.02, 0.015}, int8[3] wz = {0, 0, 0}>"
    begin = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) wd = DequantizeLinear<axis=0>(w, ws, wz)"
    made = parser.parse_model(f"{head} {constants} {{ {begin} {end} }}")
    made.graph.initializer.extend(i for i in model.graph.initializer if i.name == "w")
    return made
