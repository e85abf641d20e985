"""If, Loop and Scan as native code: what runs and what is skipped, nested, with captured values and threads, and on Arm."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from onnx import numpy_helper, parser

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt.emulation import needs

HEAD = '<ir_version: 10, opset_import: ["" : 21]>'
BOTH = [np.asarray(True), np.asarray(False)]


def native(text: str, level: int = 1) -> CompiledModel:
    """The model, of which no node runs on the host."""
    compiled = edgeopt.compile(parser.parse_model(f"{HEAD} {text}"), level=level)
    assert compiled.manifest["fallbacks"] == []
    return compiled


def branches() -> str:
    """x doubled, or negated and shifted by a captured value, with a nested choice."""
    return """g (float[2,3] x, bool c, bool d) => (float[2,3] y, float[2,3] z) {
        k = Neg(x)
        y, m = If (c) <
            then_branch = t () => (float[2,3] a, float[2,3] p) { a = Add(x, x) p = Identity(k) },
            else_branch = e () => (float[2,3] b, float[2,3] q) {
                b = If (d) <
                    then_branch = tt () => (float[2,3] n) { n = Mul(k, k) },
                    else_branch = ee () => (float[2,3] o) { o = Sub(k, x) }
                >
                q = Abs(b)
            }
        >
        z = Add(m, k)
    }"""


@pytest.mark.parametrize("c", BOTH)
@pytest.mark.parametrize("d", BOTH)
@pytest.mark.parametrize("threads", [1, 2])
def test_branches(c: Array, d: Array, threads: int) -> None:
    x = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    found = native(branches()).run({"x": x, "c": c, "d": d}, threads=threads)
    first = 2 * x if c else x * x if d else -2 * x
    np.testing.assert_array_equal(found["y"], first)
    np.testing.assert_array_equal(found["z"], (-x if c else np.abs(first)) - x)


def swapping(trips: str, stop: str) -> str:
    """Two states that change places in each turn, one of which grows by a captured value; a stack of sums where it is known."""
    return f"""g (float[4] x, float[4] y, int64 n) => (float[4] a, float[4] c) {{
        true = Constant<value = bool {{1}}>()
        {trips}
        a, c = Loop (m, true, x, y) <body = b (int64 t, bool g, float[4] s, float[4] u) => (bool h, float[4] v, float[4] w) {{
            {stop}
            v = Identity(u)
            w = Add(s, y)
        }}>
    }}"""


def swapped(x: Array, y: Array, trips: int) -> tuple[Array, Array]:
    """What ``swapping`` computes."""
    s, u = x, y
    for _ in range(trips):
        s, u = u, s + y
    return s, u


@pytest.mark.parametrize("trips", [0, 1, 2, 5])
def test_states_change_places(trips: int) -> None:
    x, y = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    model = native(swapping("m = Identity(n)", "h = Identity(g)"))
    found = model.run({"x": x, "y": y, "n": np.asarray(trips)}, threads=2)
    for name, wanted in zip("ac", swapped(x, y, trips), strict=True):
        np.testing.assert_array_equal(found[name], wanted)


def test_a_condition_ends_the_loop() -> None:
    x, y = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    model = native(swapping("m = Constant<value = int64 {100}>()", "h = Less(t, n)"))
    found = model.run({"x": x, "y": y, "n": np.asarray(3)})
    for name, wanted in zip("ac", swapped(x, y, 4), strict=True):
        np.testing.assert_array_equal(found[name], wanted)


def test_a_loop_stacks_and_nests() -> None:
    model = native(
        """g (float[3] x) => (float[3] y, float[2,3] z) {
        true = Constant<value = bool {1}>() two = Constant<value = int64 {2}>() three = Constant<value = int64 {3}>()
        y, z = Loop (two, true, x) <body = b (int64 t, bool g, float[3] s) => (bool h, float[3] v, float[3] e) {
            h = Identity(g)
            v = Loop (three, g, s) <body = i (int64 tt, bool gg, float[3] ss) => (bool hh, float[3] vv) {
                hh = Identity(gg) k = Cast<to = 1>(t) p = Add(ss, k) vv = Add(p, x) }>
            e = Neg(v)
        }>
    }"""
    )
    x = np.asarray([1, 2, 3], np.float32)
    state, stack = x, []
    for turn in range(2):
        for _ in range(3):
            state = state + turn + x
        stack.append(-state)
    found = model.run({"x": x})
    np.testing.assert_array_equal(found["y"], state)
    np.testing.assert_array_equal(found["z"], np.stack(stack))


def test_convolutions_inside_a_branch_keep_their_layout_to_themselves() -> None:
    generator = np.random.default_rng(0)
    text = """g (float[1,8,6,6] x, bool c, float[8,8,3,3] w) => (float[1,8,6,6] y, float[1,8,6,6] z) {
        k = Relu(x)
        y = If (c) <
            then_branch = t () => (float[1,8,6,6] a) { a = Conv<pads = [1,1,1,1]>(k, w) },
            else_branch = e () => (float[1,8,6,6] b) { b = MaxPool<kernel_shape = [3,3], pads = [1,1,1,1]>(k) }
        >
        z = Conv<pads = [1,1,1,1]>(k, w)
    }"""
    model = parser.parse_model(f"{HEAD} {text}")
    weight = generator.standard_normal((8, 8, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    del model.graph.input[2]
    compiled = edgeopt.compile(model, level=2)
    assert compiled.manifest["fallbacks"] == []
    x = generator.standard_normal((1, 8, 6, 6)).astype(np.float32)
    for choice in BOTH:
        found = compiled.run({"x": x, "c": choice})
        again = edgeopt.compile(model, level=0).run({"x": x, "c": choice})
        np.testing.assert_allclose(found["y"], again["y"], atol=1e-4)
        np.testing.assert_allclose(found["z"], again["z"], atol=1e-4)


def test_what_depends_on_the_number_of_turns_stays_on_the_host() -> None:
    text = """g (float[3] x, int64 n) => (float[3] y, float[k,3] z) {
        true = Constant<value = bool {1}>()
        y, z = Loop (n, true, x) <body = b (int64 t, bool g, float[3] s) => (bool h, float[3] v, float[3] e) {
            h = Identity(g) v = Neg(s) e = Abs(s) }>
    }"""
    compiled = edgeopt.compile(parser.parse_model(f"{HEAD} {text}"))
    assert [f["op"] for f in compiled.manifest["fallbacks"]] == ["Loop"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compiled.run({"x": np.ones(3, np.float32), "n": np.asarray(2)})["z"].shape == (2, 3)


def test_jumps_on_arm() -> None:
    x, y = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    model = parser.parse_model(f"{HEAD} {swapping('m = Identity(n)', 'h = Identity(g)')}")
    needs("arm")
    with Emulator(edgeopt.compile(model, target="arm")) as emulator:
        found = emulator.run({"x": x, "y": y, "n": np.asarray(3)})
    for name, wanted in zip("ac", swapped(x, y, 3), strict=True):
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g (float[3] x, double n) => (float[3] y) { y = Loop (n, , x) <body = BODY> }", "input 0 'n' is float64"),
        ("g (float[3] x, int64[2] n) => (float[3] y) { y = Loop (n, , x) <body = BODY> }", "'n'"),
        (
            "g (float[3] x, bool[2] c) => (float[3] y) { y = If (c) <then_branch = t () => (float[3] a) { a = Neg(x) }, "
            "else_branch = e () => (float[3] b) { b = Abs(x) }> }",
            "'c'",
        ),
    ],
)
def test_counts_and_conditions_of_another_kind_are_refused(text: str, message: str) -> None:
    body = "b (int64 t, bool g, float[3] s) => (bool h, float[3] v) { h = Identity(g) v = Neg(s) }"
    with pytest.raises(EdgeoptError, match=message):
        edgeopt.compile(parser.parse_model(f"{HEAD} {text.replace('BODY', body)}"))


def test_a_branch_whose_operands_do_not_fit_is_not_compiled() -> None:
    text = """g (float[2,3] x, bool c) => (float[2,3] y) {
        y = If (c) <
            then_branch = t () => (float[2,3] a) { a = Neg(x) },
            else_branch = e () => (float[2,3] b) {
                five = Constant<value = int64[1] {5}>() r = Gather<axis = 0>(x, five) b = Add(r, x) }
        > }"""
    compiled = edgeopt.compile(parser.parse_model(f"{HEAD} {text}"), level=0)
    assert [f["op"] for f in compiled.manifest["fallbacks"]] == ["If"] and "Gather" in compiled.manifest["fallbacks"][0]["reason"]
    x = np.ones((2, 3), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(compiled.run({"x": x, "c": np.asarray(True)})["y"], -x)
