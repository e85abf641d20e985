"""Indices: shapes that belong to the data, constant ones within their axis."""

import numpy as np

from tests.contracts.cases import Case, check, ints, number, ones, parametrized

ROWS = "float32[1,4]"
ZEROS = np.zeros((1, 3), np.int64)
PAIRS = np.array([[0, 1], [0, 2], [0, 3]])
VALUES = "float32[2]"

CASES = [
    Case("beyond", "Gather", [ROWS, ints(3)], {"axis": 1}, change={1: ints(4)}, says="holds 4, outside of an axis of 4"),
    Case("before", "Gather", [ROWS, ints(-4)], {"axis": 1}, change={1: ints(-5)}, says="holds -5, outside"),
    Case("far", "Gather", [ROWS, ints(3)], {"axis": 1}, change={1: ints(1 << 40)}, says="outside of an axis of 4"),
    Case("axis", "Gather", [ROWS, ints(0)], change={"axis": 2}, says="outside of 2 dimensions"),
    Case("empty", "Gather", [ROWS, ints(0)], change={0: "float32[0,4]"}, says="nothing to index"),
    Case("declared", "Gather", [ROWS, "int64[3]"], declared={0: "float32[4,4]"}, says="is computed"),
    Case("type", "Gather", [ROWS, "int64[3]"], change={1: "float32[3]"}, says="float32"),
    Case("rows", "GatherElements", [ROWS, "int64[1,9]"], {"axis": 1}, change={1: "int64[50,1]"},
         says="reaches out of the data"),
    Case("rank", "GatherElements", [ROWS, "int64[1,9]"], {"axis": 1}, change={1: "int64[9]"}, says="reaches out of the data"),
    Case("beyond", "GatherElements", [ROWS, ZEROS], {"axis": 1}, change={1: ZEROS + 4}, says="holds 4"),
    Case("empty", "GatherElements", [ROWS, "int64[1,9]"], {"axis": 1}, change={0: "float32[1,0]"}, says="nothing to index"),
    Case("batch", "GatherND", ["float32[2,4]", "int64[2,1]"], {"batch_dims": 1}, change={1: "int64[50,1]"},
         says="batch_dims"),
    Case("batch range", "GatherND", ["float32[2,4]", "int64[2,1]"], {"batch_dims": 1}, change={"batch_dims": 2},
         says="batch_dims"),
    Case("depth", "GatherND", [ROWS, "int64[3,2]"], change={1: "int64[3,3]"}, says="tuples of 3"),
    Case("beyond", "GatherND", [ROWS, PAIRS], change={1: PAIRS + 1}, says="outside of an axis of 1"),
    Case("declared", "GatherND", [ROWS, "int64[3,2]"], declared={0: "float32[4]"}, says="is computed"),
    Case("rows", "ScatterElements", [ROWS, "int64[1,3]", "float32[1,3]"], {"axis": 1},
         change={1: "int64[64,1]", 2: "float32[64,1]"}, says="reaches out of the data"),
    Case("updates", "ScatterElements", [ROWS, "int64[1,3]", "float32[1,3]"], {"axis": 1}, change={2: "float32[1,1]"},
         says="input 2"),
    Case("beyond", "ScatterElements", [ROWS, ZEROS, "float32[1,3]"], {"axis": 1}, change={1: ZEROS - 5}, says="holds -5"),
    Case("type", "ScatterElements", [ROWS, ZEROS, "float32[1,3]"], {"axis": 1}, change={2: "float64[1,3]"}, says="float64"),
    Case("few", "ScatterND", [ROWS, PAIRS, "float32[3]"], change={2: "float32[1]"}, says="[3] is needed"),
    Case("wide", "ScatterND", [ROWS, "int64[1,1]", "float32[1,4]"], change={2: "float32[1,9]"}, says="[1,4] is needed"),
    Case("beyond", "ScatterND", [ROWS, PAIRS, "float32[3]"], change={1: PAIRS + 9}, says="outside of an axis"),
    Case("depth", "ScatterND", [ROWS, "int64[1,1]", "float32[1,4]"], change={1: "int64[1,3]"}, says="tuples of 3"),
    Case("values", "OneHot", [ints(0, 9), number(3, "int64"), VALUES], change={2: "float32[1]"}, says="[2] is needed"),
    Case("depth", "OneHot", [ints(0, 9), number(3, "int64"), VALUES], change={1: ones(2, dtype="int64")}, says="one number"),
    Case("negative", "OneHot", [ints(0, 9), number(3, "int64"), VALUES], change={1: number(-3, "int64")}, says="depth -3"),
    Case("axis", "OneHot", [ints(0, 9), number(3, "int64"), VALUES], change={"axis": 2}, says="outside of 2 dimensions"),
    Case("declared", "OneHot", [ints(0, 9), "int64[]", VALUES], declared={0: "float32[4,3]"}, says="is computed"),
]  # fmt: skip


@parametrized(CASES)
def test_indexing(case: Case) -> None:
    check(case)
