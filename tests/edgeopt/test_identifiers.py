"""No name of a model or tensor gets into C or LLVM other than as letters, digits and underscores."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper, save

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.codegen.c_types import c_type
from edgeopt.codegen.identifiers import LONGEST, distinct, identifier, library_name
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import numpy_dtype
from edgeopt.options import Options
from edgeopt.target import host
from tests.edgeopt.emulation import STRICT, execute, needs, needs_tool, unpack
from tests.edgeopt.small_models import convolution, info, model

EVIL = [
    "*/ int oops; /*",
    "x**// int oops; /**",
    "x*\\\n/ int oops; /*",
    "x*??/\n/ int oops; //",
    "a/*b",
    '"); system("oops"); ("',
    "line\nint oops;\\",
    "%n%s{name}",
    "grün \u202e\u2066 ]\u200b",
    "\x1b[2J",
    "n" * 5000,
    "+",
]


@pytest.mark.parametrize("name", EVIL)
def test_an_identifier_is_letters_digits_and_underscores(name: str) -> None:
    for made in (identifier(name, "input"), library_name(name)):
        assert re.fullmatch(r"[0-9A-Za-z_]+", made) and len(made) <= LONGEST + len("model_")


def test_plain_names_stay_and_equal_ones_are_numbered() -> None:
    assert identifier("image", "input") == "image"
    assert distinct(["a/b", "a.b", "a b", "a_b_2", "", "-"], "input") == ["a_b", "a_b_2", "a_b_3", "a_b_2_2", "input", "input_2"]
    first, second = "n" * 400, "n" * 401
    assert identifier(first, "input") != identifier(second, "input")


@pytest.mark.parametrize("name", ["main", "int", "class", "run", "mtx", "pthread_mutex", "sem", "f", "7up", "é", "NULL", "stdin"])
def test_the_functions_of_a_library_are_no_others(name: str) -> None:
    made = library_name(name)
    keeps = name in ("NULL", "stdin")
    assert made == (name.lower() if keeps else "model_7up" if name == "7up" else "model" if name == "é" else f"model_{name}")


def test_nothing_of_the_c_library_can_be_defined_anew() -> None:
    """Every function of the C library here that ends like one of ours, without that ending, as the name of a model."""
    nm = needs_tool("nm")
    found = list(Path("/lib").glob("*-linux-gnu/libc.so.6"))
    if not found:
        pytest.skip("the C library is somewhere else")
    listed = subprocess.run([nm, "-D", "--defined-only", found[0]], capture_output=True, text=True, check=True).stdout
    symbols = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    ours = [s for s in symbols for end in ("_run", "_init", "_arena_bytes", "_weights_bytes") if s.endswith(end)]
    assert len(ours) > 10
    for symbol in ours:
        stem, end = symbol.rsplit("_", 1)
        assert f"{library_name(stem)}_{end}" not in symbols, symbol


@pytest.mark.parametrize("stem", ["claim", "x", "*\\ ; evil", "memcpy"])
def test_header_and_example_of_evil_names_compile(stem: str, tmp_path: Path) -> None:
    gcc, _ = needs_tool("gcc"), needs("host")
    names = EVIL[: len(EVIL) // 2] if len(stem) > 4 else EVIL[len(EVIL) // 2 :]
    nodes = [helper.make_node("Relu", [n], [f"{n} out"], f"{n} node") for n in names]
    proto = model(nodes, [info(n, [2]) for n in names], [info(f"{n} out", [2]) for n in names])
    save(proto, tmp_path / f"{stem}.onnx")
    compiled = edgeopt.compile(tmp_path / f"{stem}.onnx", level=0, options=Options(emit="c-library"))
    unpack(compiled, tmp_path)
    for name in ("model.h", "example.c", "Makefile"):
        text = (tmp_path / name).read_text()
        assert text.isascii() and "int oops" not in text and "system(" not in text, name
    (tmp_path / "uses.c").write_text('#include <unistd.h>\n#include "model.h"\n#include "example.c"\n')
    built = execute([gcc, *STRICT, "-o", "example", "uses.c", "libmodel.a"], tmp_path)
    assert built.returncode == 0, built.stderr
    for i in range(len(names)):
        np.array([-1, i], np.float32).tofile(tmp_path / f"in{i}")
    files = [f"{kind}{i}" for kind in ("in", "out") for i in range(len(names))]
    assert subprocess.run(["./example", "weights.bin", *files], cwd=tmp_path).returncode == 0
    for i in range(len(names)):
        np.testing.assert_array_equal(np.fromfile(tmp_path / f"out{i}", np.float32), [0, i])


@pytest.mark.parametrize("type_", ["FLOAT16", "BFLOAT16", "BOOL", "UINT8", "INT4", "FLOAT8E4M3FN", "FLOAT64"])
def test_every_element_type_has_a_c_type(type_: str) -> None:
    name = type_.lower()
    known = {"float": 4, "double": 8} | {f"{sign}int{8 * size}_t": size for sign in ("", "u") for size in (1, 2, 4, 8)}
    assert known[c_type(name)] == numpy_dtype(name).itemsize


def test_a_model_without_inputs_has_an_example(tmp_path: Path) -> None:
    gcc, _ = needs_tool("gcc"), needs("host")
    value = numpy_helper.from_array(np.array([1, 2], np.float32))
    nodes = [helper.make_node("Constant", [], ["c"], value=value), helper.make_node("Relu", ["c"], ["y"])]
    unpack(edgeopt.compile(model(nodes, [], [info("y", [2])]), level=0, options=Options(emit="c-library")), tmp_path)
    built = execute([gcc, *STRICT, "-o", "example", "example.c", "libmodel.a"], tmp_path)
    assert built.returncode == 0, built.stderr
    assert subprocess.run(["./example", "weights.bin", "y"], cwd=tmp_path).returncode == 0
    assert np.fromfile(tmp_path / "y", np.float32).tolist() == [1, 2]


def test_every_name_of_a_model_runs_in_this_process() -> None:
    for symbol in ("claim", "run", "kernel"):
        compiled = assemble(load(convolution()), host(), symbol=symbol)
        assert compiled.run({"x": np.ones((1, 3, 8, 8), np.float32)}, threads=1)["y"].shape == (1, 5)


@pytest.mark.parametrize("symbol", ["a b", 'x"', "", "7", "x\n", "é"])
def test_a_prefix_that_is_no_identifier_is_refused(symbol: str) -> None:
    with pytest.raises(EdgeoptError, match="C functions"):
        assemble(load(convolution()), host(), symbol=symbol)
