"""Operators that copy elements stay inside of what they read and fill what they write."""

from tests.contracts.cases import Case, check, ints, number, ones, parametrized

X, IMAGE = "float32[2,3]", "float32[1,8,2,4]"
PARTS = ["float32[2,3]", "float32[2,1]"]

CASES = [
    Case("short", "Transpose", [X], {"perm": [1, 0]}, change={"perm": [0]}, says="no order"),
    Case("twice", "Transpose", [X], {"perm": [1, 0]}, change={"perm": [1, 1]}, says="no order"),
    Case("outside", "Transpose", [X], {"perm": [1, 0]}, change={"perm": [1, 2]}, says="no order"),
    Case("channels", "DepthToSpace", [IMAGE], {"blocksize": 2}, change={"blocksize": 3}, says="no multiple"),
    Case("zero", "DepthToSpace", [IMAGE], {"blocksize": 2}, change={"blocksize": 0}, says="block size is 0"),
    Case("huge", "DepthToSpace", [IMAGE], {"blocksize": 2}, change={"blocksize": 2**31}, says="no multiple"),
    Case("rank", "DepthToSpace", [IMAGE], {"blocksize": 2}, change={0: "float32[8,2,4]"}, says="4 dimensions"),
    Case("height", "SpaceToDepth", [IMAGE], {"blocksize": 2}, change={"blocksize": 4}, says="no multiples"),
    Case("shape", "Expand", [X, ints(4, 2, 1)], change={1: ints(4, 1, 2)}, says="does not expand"),
    Case("negative", "Expand", [X, ints(2, 1)], change={1: ints(2, -1)}, says="does not expand"),
    Case("declared", "Expand", ["float32[3]", "int64[2]"], declared={0: "float32[2,4]"}, says="does not broadcast"),
    Case("count", "Tile", [X, ints(2, 1)], change={1: ints(2)}, says="[2] is needed"),
    Case("negative", "Tile", [X, ints(2, 1)], change={1: ints(2, -1)}, says="-1 times"),
    Case("declared", "Tile", [X, "int64[2]"], declared={0: "float32[2,4]"}, says="no repetition"),
    Case("extent", "Concat", PARTS, {"axis": 1}, change={1: "float32[3,1]"}, says="does not join"),
    Case("rank", "Concat", PARTS, {"axis": 1}, change={1: "float32[2]"}, says="does not join"),
    Case("axis", "Concat", PARTS, {"axis": 1}, change={"axis": 2}, says="outside of 2 dimensions"),
    Case("declared", "Concat", PARTS, {"axis": 1}, declared={0: "float32[2,7]"}, says="is computed"),
    Case("sum", "Split", [X, ints(1, 2)], {"axis": 1}, change={1: ints(64, 64)}, outputs=2, says="do not add up"),
    Case("negative", "Split", [X, ints(1, 2)], {"axis": 1}, change={1: ints(4, -1)}, outputs=2, says="do not add up"),
    Case("count", "Split", [X, ints(1, 2)], {"axis": 1}, change={1: ints(3)}, outputs=2, says="[2] is needed"),
    Case("rank", "Split", [X, "int64[2]"], declared={0: "float32[2]", 1: "float32[]"}, outputs=2, says="do not add up"),
    Case("uneven", "Split", [X], {"axis": 0}, change={"axis": 1}, outputs=2, says="equal parts"),
    Case("outputs", "Split", [X], {"num_outputs": 2}, change={"num_outputs": 3}, outputs=2, says="num_outputs is 3"),
    Case("declared", "Split", [X, "int64[2]"], {"axis": 1}, declared={0: "float32[2,3]", 1: "float32[2,3]"}, outputs=2,
         says="do not add up"),
    Case("ends", "Slice", [X, ints(0), ints(1)], change={2: ints(1, 2)}, says="[1] is needed"),
    Case("axes", "Slice", [X, ints(0), ints(1), ints(1)], change={3: ints(2)}, says="outside of 2 dimensions"),
    Case("twice", "Slice", [X, ints(0, 0), ints(1, 1)], change={3: ints(1, 1)}, says="one axis twice"),
    Case("many", "Slice", [X, ints(0), ints(1)], change={1: ints(0, 0, 0), 2: ints(1, 1, 1)}, says="outside of 2 dimensions"),
    Case("step", "Slice", [X, ints(0), ints(1), ints(1), ints(1)], change={4: ints(0)}, says="step of 0"),
    Case("declared", "Slice", [X, ints(0), ints(9)], declared={0: "float32[9,3]"}, says="is computed"),
    Case("count", "Pad", [X, ints(0, 1, 0, 1)], change={1: ints(0, 1)}, says="[4] is needed"),
    Case("cut", "Pad", [X, ints(0, 1, 0, 1)], change={1: ints(0, -2, 0, -2)}, says="leave [2, -1]"),
    Case("empty", "Pad", [X, ints(0, 1, 0, 1)], {"mode": "edge"}, change={0: "float32[2,0]"}, says="to repeat"),
    Case("mode", "Pad", [X, ints(0, 1, 0, 1)], change={"mode": "mirror"}, says="not known"),
    Case("value", "Pad", [X, ints(0, 1, 0, 1), number(0)], change={2: ones(2)}, says="one number"),
    Case("axes", "Pad", [X, ints(1, 1), None, ints(1)], change={3: ints(2)}, says="outside of 2 dimensions"),
    Case("axes count", "Pad", [X, ints(1, 1), None, ints(1)], change={3: ints(0, 1)}, says="[4] is needed"),
    Case("depth", "Einsum", ["float32[1,4]", "float32[4,3]"], {"equation": "ij,jk->ik"}, change={1: "float32[5,3]"},
         says="'j'"),
    Case("rank", "Einsum", ["float32[1,4]", "float32[4,3]"], {"equation": "ij,jk->ik"}, change={1: "float32[4]"},
         says="term 'jk'"),
    Case("terms", "Einsum", ["float32[1,4]", "float32[4,3]"], {"equation": "ij,jk->ik"}, change={"equation": "ij->i"},
         says="terms"),
    Case("result", "Einsum", [X], {"equation": "ij->ji"}, change={"equation": "ij->ik"}, says="no input has"),
    Case("repeated", "Einsum", [X], {"equation": "ij->ji"}, change={"equation": "ij->ii"}, says="repeats a label"),
    Case("dots", "Einsum", ["float32[5,2,3]", "float32[5,3,4]"], {"equation": "...ij,...jk->...ik"},
         change={1: "float32[4,3,4]"},
         says="'.1'"),
]  # fmt: skip


@parametrized(CASES)
def test_movement(case: Case) -> None:
    check(case)
