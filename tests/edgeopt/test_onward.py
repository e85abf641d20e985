"""Runs that begin at their change give the bits of whole runs, and compute what lies in front of it once."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate import onward
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay, execute
from edgeopt.evaluate.onward import outputs_of_each
from edgeopt.ir import Array, Node
from edgeopt.ops.grid import from_range
from edgeopt.ops.grids import linear_nodes
from tests.edgeopt.test_lockstep import branches


def test_every_run_is_a_whole_run() -> None:
    graph, data = branches()
    first, second, third = linear_nodes(graph)
    x, both, y = graph.inputs[0].name, third.inputs[0], graph.outputs[0].name
    assert both is not None
    data, grid = DataSet({x: data.arrays["x0"]}), from_range(-2.0, 3.0, "uint8")
    halved = {n.name: np.asarray(n.constant(1)) / 2 for n in (first, second, third)}
    overlays = [Overlay()]
    overlays += [Overlay(constants={(name, 1): weight}) for name, weight in halved.items()]
    overlays += [Overlay(quantizers={name: grid}) for name in (x, both.name, y)]
    overlays += [Overlay(constants={(third.name, 1): halved[third.name]}, quantizers={x: grid, both.name: grid})]
    found = outputs_of_each(graph, data, overlays)
    assert len({result.tobytes() for result in found}) == len(overlays)
    for overlay, result in zip(overlays, found, strict=True):
        np.testing.assert_array_equal(result, outputs(graph, data, overlay))


def test_what_lies_in_front_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, data = branches()
    data = DataSet({graph.inputs[0].name: data.arrays["x0"][:1]})
    ran: list[str] = []

    def counted(node: Node, environment: dict[str, Array], overlay: Overlay, calls: int) -> None:
        ran.append(node.name)
        execute(node, environment, overlay, calls)

    monkeypatch.setattr(onward, "execute", counted)
    last = linear_nodes(graph)[-1]
    weight = np.asarray(last.constant(1))
    outputs_of_each(graph, data, [Overlay(constants={(last.name, 1): weight * k}) for k in range(5)])
    assert [ran.count(node.name) for node in graph.nodes] == [1, 1, 1, 6]
