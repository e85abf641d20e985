"""Operators that rename dimensions keep the number of elements."""

import numpy as np

from tests.contracts.cases import Case, check, ints, parametrized

X = "float32[2,3]"

CASES = [
    Case("larger", "Reshape", ["float32[1,6]", ints(2, 3)], change={1: ints(1, 6000)}, says="cannot be reshaped"),
    Case("smaller", "Reshape", [X, ints(6)], change={1: ints(5)}, says="cannot be reshaped"),
    Case("open", "Reshape", [X, ints(-1, 2)], change={1: ints(-1, 4)}, says="cannot be reshaped"),
    Case("two open", "Reshape", [X, ints(-1, 2)], change={1: ints(-1, -1)}, says="cannot be reshaped"),
    Case("negative", "Reshape", [X, ints(-1)], change={1: ints(-2)}, says="cannot be reshaped"),
    Case("kept", "Reshape", [X, ints(0, 3)], change={1: ints(3, 3, 0)}, says="cannot be reshaped"),
    Case("zero", "Reshape", [X, ints(0, 3)], change={"allowzero": 1}, says="cannot be reshaped"),
    Case("matrix", "Reshape", [X, ints(6)], change={1: np.ones((1, 1), np.int64)}, says="a vector is needed"),
    Case("declared", "Reshape", [X, "int64[1]"], declared={0: "float32[4096]"}, says="has 6 elements"),
    Case("axis", "Flatten", [X], change={"axis": 3}, says="axis 3"),
    Case("declared", "Flatten", [X], declared={0: "float32[2,4]"}, says="is computed"),
    Case("axis", "Squeeze", ["float32[1,3]", ints(0)], change={1: ints(1)}, says="extent 1"),
    Case("outside", "Squeeze", ["float32[1,3]", ints(0)], change={1: ints(2)}, says="outside of 2 dimensions"),
    Case("declared", "Squeeze", ["float32[1,3]"], declared={0: "float32[30]"}, says="is computed"),
    Case("computed", "Squeeze", ["float32[1,3]", "int64[1]"], declared={0: "float32[30]"}, says="cannot be squeezed"),
    Case("twice", "Unsqueeze", [X, ints(0, 1)], change={1: ints(0, -4)}, says="one axis twice"),
    Case("outside", "Unsqueeze", [X, ints(0)], change={1: ints(3)}, says="outside of 3 dimensions"),
    Case("computed", "Unsqueeze", [X, "int64[1]"], declared={0: "float32[1,2,4]"}, says="cannot become"),
    Case("declared", "Identity", [X], declared={0: "float32[60]"}, says="is computed"),
]


@parametrized(CASES)
def test_views(case: Case) -> None:
    check(case)
