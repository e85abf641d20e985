"""Operators along axes, and those that fill: axes that exist, counts that are there, one number where one is asked for."""

import numpy as np

from edgeopt.ops.contracts.reductions import RULES
from tests.contracts.cases import Case, Operand, check, ints, number, ones, parametrized

X = "float32[2,3]"
K = ints(2)
SEQUENCE: list[Operand] = ["float32[4,2,5]", ints(4, 2)]
RANGE = [number(0), number(4), number(1)]

CASES = [
    *(
        Case("axis", op, [X, ints(1)], change={1: ints(2)}, says="outside of 2 dimensions")
        for op in RULES
        if op.startswith("Reduce")
    ),
    Case("axis of old", "ReduceMax", [X], {"axes": [1]}, change={"axes": [-3]}, opset=17, says="outside of 2 dimensions"),
    Case("flag", "ReduceSum", [X, ints(1)], change={"keepdims": 1 << 40}, says="0 or 1 is needed"),
    Case("twice", "ReduceSum", [X, ints(0, 1)], change={1: ints(0, -2)}, says="one axis twice"),
    Case("declared", "ReduceMean", [X, ints(1)], declared={0: "float32[2,3]"}, says="is computed"),
    *(
        Case("axis", op, [X], change={"axis": 2}, says="outside of 2")
        for op in ("Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin")
    ),
    Case("empty", "ArgMax", [X], {"axis": 1}, change={0: "float32[2,0]"}, says="nothing to choose from"),
    Case("declared", "ArgMin", [X], declared={0: "int64[2,3]"}, says="is computed"),
    Case("vector", "CumSum", [X, number(0, "int64")], change={1: ints(0, 1)}, says="one number"),
    Case("axis", "CumSum", [X, number(0, "int64")], change={1: number(2, "int64")}, says="outside of 2 dimensions"),
    Case("large", "TopK", [X, K], change={1: ints(4)}, outputs=2, says="k is 4"),
    Case("negative", "TopK", [X, K], change={1: ints(-1)}, outputs=2, says="k is -1"),
    Case("vector", "TopK", [X, K], change={1: ints(1, 2)}, outputs=2, says="one number"),
    Case("declared", "TopK", [X, "int64[1]"], declared={0: "float32[2,9]", 1: "int64[2,9]"}, outputs=2, says="k is 9"),
    Case("indices", "TopK", [X, K], declared={1: "int64[2,3]"}, outputs=2, says="output 1"),
    Case("length", "ReverseSequence", SEQUENCE, change={1: ints(5, 2)}, says="length 5, there are 4 steps"),
    Case("lengths", "ReverseSequence", SEQUENCE, change={1: ints(4)}, says="[2] is needed"),
    Case("axes", "ReverseSequence", SEQUENCE, change={"batch_axis": 0}, says="0 and 1 are needed"),
    Case("vector", "Trilu", [X, number(1, "int64")], change={1: ints(1, 2)}, says="one number"),
    Case("rank", "Trilu", [X], change={0: "float32[3]"}, says="at least 2 dimensions"),
    Case("negative", "ConstantOfShape", [ints(2, 3)], change={0: ints(2, -3)}, says="asks for the shape"),
    Case("value", "ConstantOfShape", [ints(2, 3)], change={"value": ones(2)}, says="not one number"),
    Case("matrix", "ConstantOfShape", [ints(2, 3)], change={0: np.ones((1, 2), np.int64)}, says="a vector"),
    Case("rank", "EyeLike", [X], change={0: "float32[2,3,4]"}, says="2 dimensions"),
    Case("declared", "EyeLike", [X], declared={0: "float32[3,3]"}, says="is computed"),
    Case("declared", "Shape", [X], declared={0: "int64[3]"}, says="is computed"),
    Case("declared", "Size", [X], declared={0: "int64[1]"}, says="is computed"),
    Case("step", "Range", RANGE, change={2: number(0)}, says="step of 0"),
    Case(
        "vector",
        "Range",
        ["float32[]", "float32[]", number(1)],
        change={2: ones(3)},
        declared={0: "float32[4]"},
        says="one number",
    ),
    Case("declared", "Range", RANGE, declared={0: "float32[9]"}, says="is computed"),
]


@parametrized(CASES)
def test_reductions(case: Case) -> None:
    check(case)
