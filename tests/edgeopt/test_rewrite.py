"""The driver: fixed point, counting, verification, honesty about changes, subgraphs."""

from __future__ import annotations

import pytest

from edgeopt.ir import Graph, Node, TensorType, Value, VerificationError
from edgeopt.rewrite import ORIGIN, PROVENANCE, Context, Pass, PassError, run_pass, run_passes

TYPE = TensorType("float32", (2,))


def chain(*ops: str) -> Graph:
    """A graph x -> ops -> y."""
    graph = Graph()
    value = Value("x", TYPE)
    graph.inputs = [value]
    for op in ops:
        value = graph.make(op, [value], [TYPE]).output
    graph.outputs = [value]
    return graph


def drop(graph: Graph, node: Node, context: Context) -> bool:
    """Replace a node by its input."""
    value = node.input(0)
    assert value is not None
    graph.replace(node.output, value)
    graph.erase(node)
    return True


DROP_NEG = Pass("drop_neg", drop, roots=("Neg",))


def test_a_pass_runs_to_its_fixed_point_and_counts() -> None:
    graph = chain("Neg", "Relu", "Neg", "Neg", "Tanh")
    context = Context()
    assert run_pass(graph, DROP_NEG, context) == 3
    assert [node.op for node in graph.nodes] == ["Relu", "Tanh"]
    assert (context.count, context.fired, context.last) == (3, {"drop_neg": 3}, {"drop_neg": 3})
    assert run_pass(graph, DROP_NEG, context) == 0
    assert (context.fired, context.last) == ({"drop_neg": 3}, {"drop_neg": 0})


def test_a_limit_stops_between_rewrites() -> None:
    graph = chain("Neg", "Neg", "Tanh")
    context = Context(stop_after=1)
    assert run_passes(graph, [DROP_NEG, DROP_NEG], context) == 1
    assert context.exhausted
    assert [node.op for node in graph.nodes] == ["Neg", "Tanh"]


def test_subgraphs_are_rewritten_too() -> None:
    graph = chain("Relu")
    inner = Graph(name="then", parent=graph)
    first = inner.make("Neg", [graph.inputs[0]], [TYPE])
    inner.outputs = [inner.make("Tanh", [first.output], [TYPE]).output]
    graph.make("If", [Value("c", TensorType("bool", ()))], [TYPE], attributes={"then_branch": inner})
    graph.inputs.append(graph.nodes[-1].inputs[0] or graph.inputs[0])
    assert DROP_NEG(graph) == 1
    assert [node.op for node in inner.nodes] == ["Tanh"]


def test_a_pass_that_hides_a_change_is_an_error() -> None:
    hidden = Pass("hidden", lambda g, n, c: not drop(g, n, c), roots=("Neg",))
    with pytest.raises(PassError, match="'hidden' at Neg .* reported no change but changed the graph"):
        hidden(chain("Neg", "Relu"))


def test_a_pass_that_invents_a_change_is_an_error() -> None:
    with pytest.raises(PassError, match="reported a change but made none"):
        Pass("boast", lambda g, n, c: True)(chain("Relu"))


def test_a_pass_that_never_rests_is_an_error() -> None:
    def turn(graph: Graph, node: Node, context: Context) -> bool:
        made = graph.make(node.op, node.inputs, [TYPE], node)
        graph.replace(node.output, made.output)
        graph.erase(node)
        return True

    with pytest.raises(PassError, match="still rewrites"):
        Pass("turn", turn)(chain("Relu"))


def test_a_pass_that_breaks_the_graph_is_caught() -> None:
    def reorder(graph: Graph, node: Node, context: Context) -> bool:
        if graph.nodes[0] is not node:
            return False
        graph.nodes.reverse()
        graph.touch()
        return True

    with pytest.raises(VerificationError, match="is not defined before it"):
        Pass("reorder", reorder, roots=("Relu",))(chain("Relu", "Tanh"))


def test_reasons_are_kept_once_and_only_of_the_last_run() -> None:
    picky = Pass("picky", lambda g, n, c: c.decline(n, "too small"), roots=("Neg",))
    graph = chain("Neg", "Relu")
    context = Context()
    run_passes(graph, [picky, picky], context)
    assert context.declined == [("picky", repr(graph.nodes[0]), "too small")]
    run_pass(chain("Relu"), picky, context)
    assert context.declined == []


def test_new_nodes_carry_their_pass_and_the_original_names() -> None:
    def join(graph: Graph, node: Node, context: Context) -> bool:
        user = node.output.uses[0][0] if node.output.uses else None
        if user is None or user.op != "Neg":
            return False
        made = graph.make("Joined", [node.input(0)], [TYPE], user)
        graph.replace(user.output, made.output)
        graph.erase(user)
        graph.erase(node)
        return True

    graph = chain("Neg", "Neg", "Neg")
    names = [node.name for node in graph.nodes]
    Pass("join", join)(graph)
    made = next(node for node in graph.nodes if node.op == "Joined")
    assert made.metadata[PROVENANCE] == "join"
    assert set(made.metadata[ORIGIN].split(",")) <= set(names)
    assert len(made.metadata[ORIGIN].split(",")) >= 2
