"""What follows a value runs only where a small classifier on that value is not sure.

    y = rest(v)   ->   p = head(v);  y, leaves = If(sure(softmax(p)) >= t) {p, k} else {rest(v), last}

head(v) = Gemm(features(v)), where features are of a kind in ``edgeopt.ops.exit_features``, k the number of the exit, counted from
the input; the last is the network's own end (Teerapittayanon et al., BranchyNet, 2016; here on a frozen network). A head is as
sure as its largest probability, as far as that lies above the second (``margin``), or by how little entropy there is
(``entropy``: 1 - H / log classes). Where the network ends in a Softmax, the head gives probabilities too. Several exits nest, the
one nearest to the input outermost. A hierarchical exit adds a share of the logits of the exit before it to its own, as a second
opinion that costs nothing. ``leaves`` is a second output, named after the first. Approximate: what leaves early gets the head's
answer. Not where anything but the value itself is needed behind it, where the network has several outputs, or where a
batch is not a single sample, since If decides for all of it; several exits are put in together, or none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value, numpy_dtype
from edgeopt.ir.clone import clone, copied
from edgeopt.ir.match import outer_values, shape_of
from edgeopt.ops.exit_features import Features, computed
from edgeopt.rewrite import Context, Pass

LEAVES = "exit"  # the second output is NAME.exit


@dataclass(frozen=True, eq=False)
class Exit:
    """A head on the ``features`` of ``value``: weight [features, classes] and bias [classes].

    A sample leaves where the ``confidence`` is at least ``threshold``. ``number`` counts the exits from the input. The logits of
    the exit before it count with the weight ``earlier``, which is 0 for the first that is put in. ``shape`` is that of the
    network's output, where it is not [1, classes].
    """

    value: str
    number: int
    features: Features
    weight: Array
    bias: Array
    threshold: float
    probabilities: bool
    confidence: str = "probability"
    earlier: float = 0.0
    shape: tuple[int, ...] = ()


def make(exits: Sequence[Exit], onward: str = "") -> Pass:
    """The pass for ``exits`` in the order of the network.

    Where the graph is only the first part of a network, ``onward`` names the network's output. It becomes the first output: the
    answer of the exit that was taken, or else of exit n, the last that was asked; ``leaves`` is -1 - n then, and what the part
    hands on is computed.
    """
    pending = list(exits)
    heads: dict[str, Value] = {}  # logits by the values of exits: all are made first, since one may read those of the one before

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if not pending or node.output.name != pending[-1].value or graph.parent is not None:
            return False
        reason = "" if heads else _hindrance(graph, exits, onward)
        if reason:
            return context.decline(node, reason)
        heads.update({} if heads else _heads(graph, exits))
        logits = heads[node.output.name]
        rest = graph.nodes[graph.nodes.index(_producer(logits)) + 1 :]
        _insert(graph, rest, logits, node.output, pending.pop(), onward)
        return True

    return Pass("insert_exits", rewrite, contract="approximate")


def shortened(graph: Graph, chosen: Exit) -> Graph:
    """A copy of ``graph``, which has one output, that ends in the answer of the head ``chosen``, whatever its confidence."""
    made = clone(graph)
    end = made.outputs[0]
    value = next(out for node in made.nodes for out in node.outputs if out.name == chosen.value)
    rest = made.nodes[made.nodes.index(_producer(value)) + 1 :]
    answer = _answer(made, value, chosen, None)
    answer = _shares(made, answer, chosen, None) if chosen.probabilities else answer
    given = _given(made, answer, chosen, None)
    made.outputs, end.name, given.name = [given], made.fresh(end.name), end.name
    for node in reversed(rest):
        made.erase(node)
    return made


def _producer(value: Value) -> Node:
    assert value.producer is not None
    return value.producer


def _ended(graph: Graph) -> bool:
    """Whether an exit was put in before."""
    return len(graph.outputs) > 1 and graph.outputs[1].name == f"{graph.outputs[0].name}.{LEAVES}"


def _hindrance(graph: Graph, exits: Sequence[Exit], onward: str) -> str:
    """Why not all of ``exits`` can be put into ``graph``, in which there are none yet; empty where they can.

    It is asked before anything is made: one exit may read what the head of another says, so they come together or not at all.
    """
    values = {out.name: out for node in graph.nodes for out in node.outputs}
    if missing := [one.value for one in exits if one.value not in values]:
        return f"there is no value '{missing[0]}', which another exit reads"
    return next((reason for one in exits if (reason := _needs_more(graph, values[one.value], onward))), "")


def _needs_more(graph: Graph, value: Value, onward: str) -> str:
    """Why what follows ``value`` cannot become a branch that goes on from it alone; empty where it can."""
    rest = graph.nodes[graph.nodes.index(_producer(value)) + 1 :]
    made = {out for later in rest for out in later.outputs}
    if not _alone([value], rest) or any(end not in made and not (onward and end is value) for end in graph.outputs):
        return "what follows needs more than its output"
    if not onward and len(graph.outputs) > 1:
        return "the network has several outputs"
    if (shape_of(value) or (0,))[0] != 1:
        return "a batch is not a single sample, and If decides for all of it"
    return ""


def _alone(known: Sequence[Value], rest: Sequence[Node]) -> bool:
    """True when ``rest`` reads no computed value or input but those that are ``known``."""
    made = {out for node in rest for out in node.outputs}
    needed = [v for node in rest for v in (*node.inputs, *outer_values(node)) if v is not None]
    return all(v in known or v in made or v.is_constant for v in needed)


def _heads(graph: Graph, exits: Sequence[Exit]) -> dict[str, Value]:
    """The logits of all exits, by their values, each right behind its value."""
    made: dict[str, Value] = {}
    values, before = {out.name: out for node in graph.nodes for out in node.outputs}, None
    for one in exits:
        place = graph.nodes.index(_producer(values[one.value])) + 1
        following = graph.nodes[place] if place < len(graph.nodes) else None
        before = made[one.value] = _heard(graph, values[one.value], one, before, following)
    return made


def _heard(graph: Graph, value: Value, chosen: Exit, before: Value | None, following: Node | None) -> Value:
    """The logits of ``chosen``, with its share of those of the exit ``before`` it."""
    own, stem = _answer(graph, value, chosen, following), f"exit{chosen.number}"
    if before is None or not chosen.earlier:
        return own
    share, shape = graph.constant(f"{stem}.earlier", np.array(chosen.earlier, np.float32)), (1, chosen.weight.shape[1])
    scaled = computed(graph, "Mul", [before, share], shape, following, stem)
    return computed(graph, "Add", [own, scaled], shape, following, stem)


def _insert(graph: Graph, rest: list[Node], logits: Value, value: Value, chosen: Exit, onward: str) -> None:
    answer, sure = _sure(graph, logits, chosen, rest[0] if rest else None)
    if not _ended(graph):
        rest = [*rest, *_ends(graph, answer, chosen, onward)]
    ends = [end for end in graph.outputs if end is not value]
    early, late = _early(graph, answer, chosen, ends[2:]), Graph(name="continue", opsets=dict(graph.opsets), parent=graph)
    copies = copied(rest, late, [value, logits, answer, *graph.constants, *graph.inputs])
    late.outputs = [copies[end] for end in ends]
    for out in late.outputs:
        out.name = graph.fresh(out.name)
    branches = {"then_branch": early, "else_branch": late}
    node = graph.make("If", [sure], [end.type for end in ends], rest[0], name=f"exit{chosen.number}", attributes=branches)
    _take_over(graph, node, ends, rest)


def _ends(graph: Graph, answer: Value, chosen: Exit, onward: str) -> list[Node]:
    """The nodes that make ``leaves`` for what does not leave, and in a first part the answer so far; they become outputs."""
    rest = [graph.make("Identity", [answer], [answer.type], name=onward)] if onward else []
    ends = [node.output for node in rest] + graph.outputs
    name = onward or ends[0].name
    ends[0].name = name
    number = _number(graph, name, -1 - chosen.number if onward else chosen.number + 1)
    number.name = f"{name}.{LEAVES}"
    graph.outputs = [ends[0], number, *ends[1:]]
    return [*rest, _producer(number)]


def _take_over(graph: Graph, node: Node, ends: list[Value], rest: list[Node]) -> None:
    """The If's outputs replace those of the graph, and the nodes that it holds now are erased outside."""
    taken = dict(zip(ends, node.outputs, strict=True))
    outputs, graph.outputs = [taken.get(end, end) for end in graph.outputs], []
    for old in reversed(rest):
        graph.erase(old)
    for end, out in taken.items():
        end.name, out.name = graph.fresh(end.name), end.name
    graph.outputs = outputs
    graph.touch()


def _sure(graph: Graph, logits: Value, chosen: Exit, before: Node | None) -> tuple[Value, Value]:
    """The head's answer and whether it is sure, in front of ``before``."""
    stem = f"exit{chosen.number}"
    shares = _shares(graph, logits, chosen, before)
    most = _confidence(graph, shares, chosen, before)
    limit = np.nextafter(np.float32(chosen.threshold), np.float32(-np.inf))  # above it is at least the threshold, and NaN is not
    least = graph.constant(f"{stem}.threshold", np.array(limit, np.float32))
    sure = graph.make("Greater", [most, least], [TensorType("bool", (1,))], before, name=stem).output
    return _given(graph, shares if chosen.probabilities else logits, chosen, before), sure


def _given(graph: Graph, answer: Value, chosen: Exit, before: Node | None) -> Value:
    """The answer in the shape of the network's output."""
    if not chosen.shape:
        return answer
    shape = graph.constant(f"exit{chosen.number}.shape", np.array(chosen.shape, np.int64))
    return computed(graph, "Reshape", [answer, shape], chosen.shape, before, f"exit{chosen.number}")


def _answer(graph: Graph, value: Value, chosen: Exit, before: Node | None) -> Value:
    """The head's logits [1, classes]."""
    stem = f"exit{chosen.number}"
    seen = chosen.features.attach(graph, value, before, stem)
    arrays = {"weight": chosen.weight, "bias": chosen.bias}
    constants = [graph.constant(f"{stem}.{k}", a.astype(np.float32)) for k, a in arrays.items()]
    return computed(graph, "Gemm", [seen, *constants], (1, chosen.weight.shape[1]), before, stem)


def _shares(graph: Graph, logits: Value, chosen: Exit, before: Node | None) -> Value:
    return computed(graph, "Softmax", [logits], (1, chosen.weight.shape[1]), before, f"exit{chosen.number}", {"axis": 1})


def _confidence(graph: Graph, shares: Value, chosen: Exit, before: Node | None) -> Value:
    """How sure the head is, [1]."""
    stem, classes = f"exit{chosen.number}", chosen.weight.shape[1]

    def make(op: str, inputs: list[Value], *dims: int, dtype: str = "float32") -> Value:
        return graph.make(op, list(inputs), [TensorType(dtype, dims)], before, name=stem).output

    def number(name: str, value: float) -> Value:
        return graph.constant(f"{stem}.{name}", np.array(value, np.float32))

    if chosen.confidence == "entropy":
        logarithms = make("Log", [make("Max", [shares, number("smallest", 1e-30)], 1, classes)], 1, classes)
        total = _reduced(graph, "ReduceSum", make("Mul", [shares, logarithms], 1, classes), stem, before, 13)
        scaled = make("Mul", [total, number("scale", 1 / np.log(classes))], 1)
        return make("Add", [scaled, number("one", 1.0)], 1)
    most = _reduced(graph, "ReduceMax", shares, stem, before, 18)
    if chosen.confidence == "margin":
        below = make("Less", [shares, most], 1, classes, dtype="bool")
        others = make("Where", [below, shares, number("none", 0.0)], 1, classes)
        return make("Sub", [most, _reduced(graph, "ReduceMax", others, stem, before, 18)], 1)
    return most


def _reduced(graph: Graph, op: str, values: Value, stem: str, before: Node | None, since: int) -> Value:
    """Over the classes, whose axes are an input from opset ``since`` on."""
    if graph.opset >= since:
        axes = graph.constant(f"{stem}.axes", np.array([1], np.int64))
        return graph.make(op, [values, axes], [_floats(1)], before, name=stem, attributes={"keepdims": 0}).output
    return graph.make(op, [values], [_floats(1)], before, name=stem, attributes={"axes": (1,), "keepdims": 0}).output


def _early(graph: Graph, answer: Value, chosen: Exit, others: Sequence[Value]) -> Graph:
    """What leaves: the answer, the number of the exit, and zeros in place of ``others``, which nobody will read."""
    branch = Graph(name="leave", opsets=dict(graph.opsets), parent=graph)
    given = branch.make("Identity", [answer], [answer.type], name=f"exit{chosen.number}.answer").output
    branch.outputs = [given, _number(branch, f"exit{chosen.number}", chosen.number), *(_nothing(branch, o) for o in others)]
    return branch


def _nothing(branch: Graph, value: Value) -> Value:
    assert value.type is not None
    zeros = branch.constant(value.name, np.zeros(value.type.dims, numpy_dtype(value.type.dtype)))
    return branch.make("Identity", [zeros], [value.type], name=value.name).output


def _number(branch: Graph, stem: str, number: int) -> Value:
    which = branch.constant(f"{stem}.number", np.array([number], np.int64))
    return branch.make("Identity", [which], [TensorType("int64", (1,))], name=f"{stem}.{LEAVES}").output


def _floats(*dims: int) -> TensorType:
    return TensorType("float32", tuple(dims))
