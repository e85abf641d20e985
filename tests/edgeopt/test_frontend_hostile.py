"""Damaged and malicious models: each gives one clear error that says what and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from tests.edgeopt.small_models import branches, convolution, function, info, model

Edit = Callable[[ModelProto], object]
EXTRA = helper.make_attribute("a", 1)
WHOLE = info("x", [1, 3, 8, 8], TensorProto.INT64)


def cycle(proto: ModelProto) -> None:
    """The first node reads what the second computes."""
    proto.graph.node[0].input[0] = "r"


def two_cycles_of_functions(proto: ModelProto) -> None:
    """The function calls itself."""
    proto.functions[0].node[0].op_type, proto.functions[0].node[0].domain = "SquareAdd", "custom"
    proto.functions[0].opset_import.add(domain="custom", version=1)


def explosion_of_functions(proto: ModelProto) -> None:
    """Thirty functions, each of which calls the one before it twice."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("custom", 1)]
    for index in range(30):
        below = f"F{index - 1}" if index else "SquareAdd"
        calls = [helper.make_node(below, ["a", "b"], [out], domain="custom") for out in ("t", "c")]
        proto.functions.append(helper.make_function("custom", f"F{index}", ["a", "b"], ["c"], calls, imports))
    proto.graph.node[0].op_type = "F29"


def shadowed_dangling(proto: ModelProto) -> None:
    """A branch reads a name that nothing defines."""
    proto.graph.node[0].attribute[0].g.node[0].input[1] = "gone"


def inside_out(proto: ModelProto) -> None:
    """A node of the outer graph reads a value of a branch."""
    inner = proto.graph.node[0].attribute[0].g.node[0].output[0]
    proto.graph.node.append(helper.make_node("Relu", [inner], ["z"], "thief"))


CASES: list[tuple[str, Callable[[], ModelProto], Edit, str]] = [
    ("cycle", convolution, cycle, "cycle through Conv 'conv'"),
    ("dangling input", convolution, lambda m: m.graph.node[1].input.__setitem__(0, "gone"), "Relu 'relu' reads 'gone'"),
    ("dangling output", convolution, lambda m: m.graph.output.append(info("gone", [1])), "its output list reads 'gone'"),
    ("dangling in branch", branches, shadowed_dangling, "reads 'gone', which nothing defines"),
    ("value of a branch", branches, inside_out, "Relu 'thief' reads"),
    ("name defined twice", convolution, lambda m: m.graph.node[1].output.__setitem__(0, "c"), "defines the name 'c' twice"),
    ("input named twice", convolution, lambda m: m.graph.input.append(info("x", [1])), "defines the name 'x' twice"),
    ("no outputs", convolution, lambda m: m.graph.ClearField("output"), "has no outputs"),
    ("empty graph", convolution, lambda m: m.ClearField("graph"), "has no outputs"),
    ("short weights", convolution, lambda m: setattr(m.graph.initializer[0], "raw_data", b"1234"), "holds 4 bytes of data"),
    ("no weights", convolution, lambda m: m.graph.initializer[0].ClearField("raw_data"), "holds 0 entries of data"),
    ("negative dimension", convolution, lambda m: m.graph.initializer[0].dims.__setitem__(0, -4), "impossible shape"),
    ("huge weights", convolution, lambda m: m.graph.initializer[0].dims.__setitem__(0, 2**62), "impossible shape"),
    ("huge input", convolution, lambda m: m.graph.input[0].CopyFrom(info("x", [1, 3, 2**40, 8])), "more than any machine holds"),
    ("unknown element type", convolution, lambda m: setattr(m.graph.initializer[0], "data_type", 99), "element type 99"),
    ("unknown operator", convolution, lambda m: setattr(m.graph.node[1], "op_type", "Relux"), "Relux 'relu' is unknown in opset"),
    ("no operator", convolution, lambda m: setattr(m.graph.node[1], "op_type", ""), "has no operator"),
    ("unknown domain", convolution, lambda m: setattr(m.graph.node[1], "domain", "x.y"), "domain 'x.y', which the model"),
    ("unknown attribute", convolution, lambda m: m.graph.node[1].attribute.append(EXTRA), "attribute 'a'"),
    ("attribute of a wrong type", convolution, lambda m: setattr(m.graph.node[0].attribute[0], "type", 2), "must be of type"),
    ("missing attribute", branches, lambda m: m.graph.node[0].attribute.pop(), "lacks the attribute 'then_branch'"),
    ("too many inputs", convolution, lambda m: m.graph.node[1].input.append("x"), "has 2 inputs where 1 to 1 are allowed"),
    ("missing input", convolution, lambda m: m.graph.node[0].input.__setitem__(1, ""), "lacks its input 'W'"),
    ("opset too old", convolution, lambda m: setattr(m.opset_import[0], "version", 6), "uses opset 6, 7 to "),
    ("opset too new", convolution, lambda m: setattr(m.opset_import[0], "version", 99), "uses opset 99, 7 to "),
    ("no opset", convolution, lambda m: m.ClearField("opset_import"), "uses opset None"),
    ("two opsets", convolution, lambda m: m.opset_import.add(domain="", version=13), "two versions of the domain ''"),
    ("IR version", convolution, lambda m: setattr(m, "ir_version", 99), "IR version 99"),
    ("shapes that do not fit", convolution, lambda m: m.graph.input[0].CopyFrom(info("x", [1, 5, 8, 8])), "Conv 'conv' do not"),
    ("types that do not fit", convolution, lambda m: m.graph.input[0].CopyFrom(WHOLE), "Conv"),
    ("function that calls itself", function, two_cycles_of_functions, "'SquareAdd' of the domain 'custom' calls itself"),
    ("functions that explode", function, explosion_of_functions, "unfold to"),
    ("function defined twice", function, lambda m: m.functions.append(m.functions[0]), "is defined twice"),
]


@pytest.mark.parametrize(("build", "edit", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_broken_model_is_one_clear_error(build: Callable[[], ModelProto], edit: Edit, message: str) -> None:
    proto = build()
    edit(proto)
    with pytest.raises(EdgeoptError, match=message.replace("(", r"\(")):
        load(proto)


def test_a_malformed_equation_ends() -> None:
    node = helper.make_node("Einsum", ["x"], ["y"], "sum", equation="ij-")
    with pytest.raises(EdgeoptError, match="Einsum 'sum' has the malformed equation 'ij-'"):
        load(model([node], [info("x", [2, 3])], [info("y", [2, 3])]))


def test_a_long_integer_vector_needs_no_memory() -> None:
    nodes = [helper.make_node("Unsqueeze", ["x", "axis"], ["u"], "unsqueeze"), helper.make_node("Add", ["u", "u"], ["y"], "add")]
    axis = numpy_helper.from_array(np.asarray([0], np.int64), "axis")
    long = model(nodes, [info("x", [2**31], TensorProto.INT64)], [info("y", [1, 2**31], TensorProto.INT64)], [axis])
    assert str(load(long).outputs[0].type) == f"int64[1,{2**31}]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>", "is not an ONNX model"),
        (convolution().SerializeToString()[:-40], "is cut short"),
        (b"\x08\x08", "has no outputs"),
    ],
)
def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(EdgeoptError, match=message):
        load(path)


def test_a_path_that_is_no_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="does not exist"):
        load(tmp_path / "missing.onnx")
    with pytest.raises(EdgeoptError, match="is a folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("location", "../secret.bin", "outside the model's folder"),
        ("location", "/etc/passwd", "outside the model's folder"),
        ("location", "link.bin", "outside the model's folder"),
        ("location", "", "outside the model's folder"),
        ("location", "gone.bin", "which is missing"),
        ("location", "nul\0byte", "names the impossible data file"),
        ("offset", "100000", "the file has 432"),
        ("offset", "-4", "-4"),
        ("offset", "four", "damaged external-data entry"),
        ("length", "8", "says 8 bytes"),
    ],
)
def test_external_data_is_checked_before_it_is_read(tmp_path: Path, key: str, value: str, message: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(432))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    proto = convolution()
    tensor = proto.graph.initializer[0]
    (folder / "data.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for name, text in {"location": "data.bin", "offset": "0", "length": "432", key: value}.items():
        tensor.external_data.add(key=name, value=text)
    onnx.save(proto, folder / "model.onnx")
    with pytest.raises(EdgeoptError, match=message):
        load(folder / "model.onnx")


def test_external_data_of_a_model_from_memory_is_refused() -> None:
    proto = convolution()
    proto.graph.initializer[0].ClearField("raw_data")
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(EdgeoptError, match="load it from its path"):
        load(proto)
