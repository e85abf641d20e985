"""A part that reads components of a code computes what it did on the tensor, without undoing the transform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.partition.codes.code import Code
from edgeopt.partition.codes.fit import fit, spread
from edgeopt.partition.codes.layout import Layout
from edgeopt.partition.codes.stored import read, write
from edgeopt.partition.codes.transforms import as_it_is, rotation
from edgeopt.partition.parts import Parts
from edgeopt.partition.projected import folded, projected
from edgeopt.pipeline import optimize
from tests.edgeopt.small_models import info, model, weight


def seen(count: int, seed: int, *shape: int) -> Array:
    """Tensors whose channels are mixtures of two, away from zero."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(5).standard_normal((shape[0], 2))
    inner = rng.laplace(size=(count, 2, *shape[1:]))
    noise = 0.05 * rng.standard_normal((count, *shape))
    return np.asarray(1.0 + np.einsum("ck,nk...->nc...", mixing, inner) + noise, np.float32)


def code_of(layout: Layout, values: Array, multiple: float = 0.25, plain: bool = False) -> Code:
    transform = as_it_is(layout) if plain else rotation(layout, values)
    assert transform is not None
    made = fit(transform, "fine", transform.apply(values), multiple * spread(transform.apply(values)))
    assert made is not None
    return made


def dense() -> Graph:
    """A picture as one row, and a product."""
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w", "b"], ["g"])]
    nodes.append(helper.make_node("Relu", ["g"], ["y"]))
    graph = load(model(nodes, [info("x", [1, 6, 4, 5])], [info("y", [1, 7])], [weight("w", 120, 7), weight("b", 7)]))
    optimize(graph)
    return graph


def maps(pad: int = 1, residual: bool = False) -> Graph:
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[pad] * 4), helper.make_node("Relu", ["c"], ["y"])]
    ends = [info("y", [1, 4, 2 + 2 * pad, 3 + 2 * pad])]
    if residual:
        nodes.append(helper.make_node("Neg", ["x"], ["z"]))
        ends.append(info("z", [1, 6, 4, 5]))
    graph = load(model(nodes, [info("x", [1, 6, 4, 5])], ends, [weight("w", 4, 6, 3, 3)]))
    optimize(graph)
    return graph


CASES = [(dense, None), (maps, 1), (lambda: maps(0), 1)]


@pytest.mark.parametrize(("graph", "axis"), CASES, ids=["row", "padded maps", "maps"])
def test_the_numbers_stay_and_the_transform_is_gone(graph: object, axis: int | None, tmp_path: Path) -> None:
    subject = graph() if callable(graph) else None
    assert isinstance(subject, Graph)
    code = code_of(Layout((1, 6, 4, 5), axis), seen(300, 0, 6, 4, 5))
    part = folded(subject, "x", code)
    assert part is not None and len(part.nodes) <= len(subject.nodes)
    sent, x = replace(code, folded=True), seen(1, 1, 6, 4, 5)
    message = sent.encode(x)
    given = sent.decode(message)
    assert given is not None and message == code.encode(x), "what is sent is the same"
    expected = interpret(subject, {"x": code.round_trip(x)})["y"]
    np.testing.assert_allclose(interpret(part, {"x": given})["y"], expected, rtol=1e-4, atol=1e-4)
    again = read(tmp_path, write(tmp_path / "code-0.npz", sent))
    np.testing.assert_array_equal(again.decode(message), given)


def test_what_others_read_too_is_not_folded() -> None:
    code = code_of(Layout((1, 6, 4, 5), 1), seen(300, 0, 6, 4, 5))
    assert folded(maps(residual=True), "x", code) is None
    assert folded(maps(), "x", code_of(Layout((1, 6, 4, 5), 1), seen(300, 0, 6, 4, 5), plain=True)) is None


def test_all_parts_that_read_it_fold_or_none() -> None:
    code = code_of(Layout((1, 6, 4, 5), 1), seen(300, 0, 6, 4, 5))
    good, bad = Parts({"server": maps()}, ()), Parts({"server": maps(residual=True)}, ())
    local = Parts({"device": maps()}, ())
    cuts, codes = projected([good, local], "device", {"x": code}, set())
    assert isinstance(codes["x"], Code) and codes["x"].folded
    assert cuts[0].graphs["server"] is not good.graphs["server"] and cuts[1].graphs["device"] is local.graphs["device"]
    for given, relayed in (([good, bad, local], set()), ([good, local], {"x"})):
        cuts, codes = projected(given, "device", {"x": code}, relayed)
        assert codes["x"] is code and cuts[0].graphs["server"] is good.graphs["server"]
