"""The IR: exact uses through three doors, names of outputs, verification, text."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Graph, Node, TensorType, Value, VerificationError, dtype_name, numpy_dtype, onnx_code, verify

TYPE = TensorType("float32", (2, 3))


def diamond() -> tuple[Graph, list[Node]]:
    """x -> a -> (b, c) -> d, with output d."""
    graph = Graph(inputs=[Value("x", TYPE)])
    a = graph.make("Relu", [graph.inputs[0]], [TYPE], name="a")
    b = graph.make("Neg", [a.output], [TYPE], name="b")
    c = graph.make("Tanh", [a.output], [TYPE], name="c")
    d = graph.make("Add", [b.output, c.output], [TYPE], name="d")
    graph.outputs = [d.output]
    return graph, [a, b, c, d]


def test_uses_are_exact_after_set_input() -> None:
    graph, (a, b, c, d) = diamond()
    d.set_input(1, b.output)
    assert b.output.uses == [(d, 0), (d, 1)]
    assert c.output.uses == []
    verify(graph)


def test_set_input_grows_and_trims_optional_inputs() -> None:
    graph, (a, *_) = diamond()
    scale = graph.constant("s", np.ones((), np.float32))
    a.set_input(3, scale)
    assert [v is None for v in a.inputs] == [False, True, True, False]
    a.set_input(3, None)
    assert len(a.inputs) == 1
    assert scale.uses == []


def test_replace_moves_readers_and_keeps_the_name_of_an_output() -> None:
    graph, (a, b, c, d) = diamond()
    name = d.output.name
    new = graph.make("Mul", [b.output, c.output], [TYPE])
    graph.replace(d.output, new.output)
    graph.erase(d)
    assert [v.name for v in graph.outputs] == [name]
    assert graph.outputs[0].producer is new
    verify(graph)


@pytest.mark.parametrize("source", ["input", "constant", "output"])
def test_replace_carries_the_name_by_identity_where_it_cannot_be_given(source: str) -> None:
    graph, (a, b, c, d) = diamond()
    graph.outputs.append(b.output)
    values = {"input": graph.inputs[0], "constant": graph.constant("k", np.ones((2, 3), np.float32)), "output": b.output}
    names = [v.name for v in graph.outputs]
    graph.replace(d.output, values[source])
    graph.erase(d)
    assert [v.name for v in graph.outputs] == names
    assert graph.outputs[0].producer is not None and graph.outputs[0].producer.op == "Identity"
    verify(graph)


def test_erase_refuses_what_is_read() -> None:
    graph, (a, b, c, d) = diamond()
    for node in (a, d):
        with pytest.raises(VerificationError, match="still used"):
            graph.erase(node)


def test_every_door_counts_as_a_change_in_all_enclosing_graphs() -> None:
    graph, (a, *_) = diamond()
    inner = Graph(parent=graph)
    before = graph.version
    node = inner.make("Neg", [a.output], [TYPE])
    inner.erase(node)
    assert graph.version > before


def test_fresh_names_drop_earlier_numbers_anywhere() -> None:
    graph = Graph()
    assert graph.fresh("conv~7.weight") == "conv.weight~1"
    assert graph.fresh("conv.weight~1") == "conv.weight~2"


def test_verify_shows_the_node_with_its_neighbours() -> None:
    graph, (a, b, c, d) = diamond()
    graph.nodes.reverse()
    with pytest.raises(VerificationError) as caught:
        verify(graph)
    assert "is not defined before it" in str(caught.value)
    assert "> " in str(caught.value) and "Neg" in str(caught.value)


def test_verify_finds_names_that_are_defined_twice() -> None:
    graph, (a, b, *_) = diamond()
    b.output.name = a.output.name
    with pytest.raises(VerificationError, match="defined twice"):
        verify(graph)


def test_verify_finds_a_use_that_is_not_one() -> None:
    graph, (a, b, c, d) = diamond()
    a.output.uses.append((d, 0))
    with pytest.raises(VerificationError, match="does not read it there"):
        verify(graph)


def test_verify_finds_a_reader_that_is_not_listed() -> None:
    graph, (a, b, c, d) = diamond()
    a.output.uses.pop()
    with pytest.raises(VerificationError, match="does not list it"):
        verify(graph)


def test_verify_finds_a_constant_of_another_shape() -> None:
    graph, _ = diamond()
    graph.constant("k", np.ones(3, np.float32)).type = TYPE
    with pytest.raises(VerificationError, match="has shape"):
        verify(graph)


def test_sole_readers_and_subgraphs_keep_their_place_in_the_text() -> None:
    graph, (a, *_) = diamond()
    assert str(graph) == str(diamond()[0])
    a.attributes["alpha"] = 0.5
    assert str(graph) != str(diamond()[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int4", "uint8", "bool", "float8e4m3fn"])
def test_element_type_names_are_those_of_onnx(dtype: str) -> None:
    assert dtype_name(onnx_code(dtype)) == dtype
    assert numpy_dtype(dtype).itemsize >= 1


def test_an_unknown_element_type_is_an_error() -> None:
    with pytest.raises(VerificationError, match="float33"):
        numpy_dtype("float33")
