"""A valid node with one thing changed: an operand's shape, rank, type or values, an attribute, what is left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TypeProto, ValueInfoProto, helper, numpy_helper

from benchmarks.fuzzing.seeds import Seed, seeds
from edgeopt.ir import Array

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool")
NUMBERS = (0, 1, -1, 2, 3, 5, -2, -5, 9, 100, 2**31 - 1, 2**31, 2**40, -(2**63))
REALS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 0.5, 1e30, 100.0)
WORDS = """NOTSET SAME_UPPER VALID constant reflect edge wrap nearest linear cubic none add asymmetric align_corners
tf_crop_and_resize reverse bidirectional avg max zeros border gone""".split()
UNCHANGED = 0.15  # of the cases are valid
MOST = 8  # tests of one operator that count for how often it is drawn


@dataclass(frozen=True)
class Case:
    """A model and its inputs, drawn from a number. ``valid`` when nothing was changed; ``runs`` when it is to be run too."""

    name: str
    model: bytes
    inputs: dict[str, Array]
    valid: bool = False
    runs: bool = True


@dataclass
class Draft:
    """A node under change."""

    node: NodeProto
    arrays: list[Array | None]
    chance: random.Random

    def operand(self) -> int:
        """The index of an operand that is given."""
        return self.chance.choice([i for i, a in enumerate(self.arrays) if a is not None])


def drawn(number: int, only: str = "") -> Case:
    """Case ``number``, always the same one; of operator ``only`` when that is given."""
    chance = random.Random(number)
    pool = seeds()
    weights = [min(len(nodes), MOST) for nodes in pool.values()]
    seed = chance.choice(pool[only or chance.choices(list(pool), weights)[0]])
    draft = Draft(NodeProto.FromString(seed.node.SerializeToString()), list(seed.arrays), chance)
    count = 0 if chance.random() < UNCHANGED or not seed.arrays else chance.choice((1, 1, 1, 2))
    for _ in range(count):
        chance.choice(CHANGES)(draft)
    model, inputs = _model(draft, seed)
    return Case(f"{number}-{seed.op}", model.SerializeToString(), inputs, count == 0)


def _reshape(draft: Draft) -> None:
    index = draft.operand()
    array = draft.arrays[index]
    assert array is not None
    shape, chance = list(array.shape), draft.chance
    action = chance.choice(("size", "size", "size", "drop", "add", "turn"))
    if action == "add" or not shape:
        shape.insert(chance.randint(0, len(shape)), chance.choice((0, 1, 1, 2)))
    elif action == "drop":
        del shape[chance.randrange(len(shape))]
    elif action == "turn":
        chance.shuffle(shape)
    else:
        axis = chance.randrange(len(shape))
        shape[axis] = max(chance.choice((shape[axis] - 1, shape[axis] + 1, 0, 1, 2 * shape[axis], shape[axis] + 7)), 0)
    filled = array if array.size else np.zeros(1, array.dtype)
    draft.arrays[index] = np.resize(filled, shape).astype(array.dtype)


def _retype(draft: Draft) -> None:
    index = draft.operand()
    array = draft.arrays[index]
    assert array is not None
    with np.errstate(all="ignore"):
        draft.arrays[index] = array.astype(draft.chance.choice(DTYPES))


def _revalue(draft: Draft) -> None:
    """One element, or all, become a number that indices, sizes, scales or coordinates do not expect."""
    index = draft.operand()
    array = draft.arrays[index]
    if array is None or not array.size:
        return
    made, chance = np.array(array), draft.chance
    value: float | int | bool = chance.choice(REALS) if array.dtype.kind not in "iub" else chance.choice(NUMBERS)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        value = min(max(int(value), int(limits.min)), int(limits.max))
    place: int | slice = chance.randrange(made.size) if chance.random() < 0.7 else slice(None)
    with np.errstate(all="ignore"), suppress(OverflowError):  # types of four bits take no number that they do not hold
        made.reshape(-1)[place] = value
    draft.arrays[index] = made


def _reattribute(draft: Draft) -> None:
    attributes, chance = draft.node.attribute, draft.chance
    if not attributes:
        return _reshape(draft)
    attribute = chance.choice(list(attributes))
    if chance.random() < 0.15:
        attributes.remove(attribute)
    elif attribute.type == AttributeProto.INT:
        attribute.i = chance.choice((*NUMBERS, attribute.i + 1, attribute.i - 1, -attribute.i))
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = chance.choice(REALS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = chance.choice(WORDS).encode()
    elif attribute.type == AttributeProto.INTS:
        _change_list(attribute, chance)


def _change_list(attribute: AttributeProto, chance: random.Random) -> None:
    action = chance.choice(("change", "change", "change", "drop", "add", "clear"))
    if action == "add" or not attribute.ints:
        attribute.ints.append(chance.choice(NUMBERS[:9]))
    elif action == "change":
        attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(NUMBERS)
    elif action == "drop":
        attribute.ints.pop()
    else:
        del attribute.ints[:]


def _leave_out(draft: Draft) -> None:
    """An operand, or an output that is not the last."""
    if len(draft.node.output) > 1 and draft.chance.random() < 0.5:
        draft.node.output[draft.chance.randrange(len(draft.node.output))] = ""
        return
    index = draft.operand()
    if sum(a is not None for a in draft.arrays) > 1:
        draft.arrays[index] = None


CHANGES: tuple[Callable[[Draft], None], ...] = (
    _reshape, _reshape, _reshape, _revalue, _revalue, _reattribute, _reattribute, _retype, _leave_out,
)  # fmt: skip


def _model(draft: Draft, seed: Seed) -> tuple[ModelProto, dict[str, Array]]:
    """The model of the node: each operand is a constant or an input, outputs are declared as they were, or not at all."""
    node, chance = draft.node, draft.chance
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(draft.arrays)]
    del node.input[:]
    node.input.extend(names)
    given = {name: array for name, array in zip(names, draft.arrays, strict=True) if array is not None}
    share = chance.choice((0.4, 0.4, 1.0))  # kernels want constant weights
    constant = {name for name in given if chance.random() < share and (share < 1 or name != "x0")}
    declared = chance.random() < 0.4
    infos = [i if declared else ValueInfoProto(name=i.name, type=_unshaped(i)) for i in seed.outputs if i.name in node.output]
    graph = helper.make_graph(
        [node],
        "misfit",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()
         if n not in constant],
        infos,
        [numpy_helper.from_array(a, n) for n, a in given.items() if n in constant],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=seed.opsets, functions=list(seed.functions))
    model.ir_version = min(max(model.ir_version if seed.functions else 8, 8), 11)
    return model, {n: a for n, a in given.items() if n not in constant}


def _unshaped(info: ValueInfoProto) -> TypeProto:
    made = TypeProto()
    made.CopyFrom(info.type)
    if made.HasField("tensor_type"):
        made.tensor_type.ClearField("shape")
    return made
