"""Resize, GridSample and RoiAlign: scales, grids and regions that belong to the input."""

import numpy as np

from tests.contracts.cases import Case, Operand, check, ints, parametrized

X = "float32[2,3,8,8]"
SCALES = np.array([1, 1, 2, 2], np.float32)
SIZES = ints(2, 3, 4, 4)
ROIS: list[Operand] = ["float32[5,4]", ints(0, 1, 1, 0, 1)]
CROP = {"coordinate_transformation_mode": "tf_crop_and_resize"}
ROI = np.zeros(8, np.float32)

CASES = [
    Case("count", "Resize", [X, None, SCALES], change={2: SCALES[:3]}, says="[4] is needed"),
    Case("zero", "Resize", [X, None, SCALES], change={2: SCALES - 1}, says="only positive scales"),
    Case("sizes", "Resize", [X, None, None, SIZES], change={3: ints(2, 3, 0, 4)}, says="at least 1"),
    Case("sizes count", "Resize", [X, None, None, SIZES], change={3: ints(4, 4)}, says="[4] is needed"),
    Case("both", "Resize", [X, None, None, SIZES], change={2: SCALES}, says="only one"),
    Case("none", "Resize", [X, None, SCALES], change={2: None}, says="one of scales and sizes"),
    Case("axes", "Resize", [X, None, SCALES[2:]], {"axes": [2, 3]}, change={"axes": [2, 4]}, says="outside of 4 dimensions"),
    Case("declared", "Resize", [X, None, SCALES], declared={0: "float32[2,3,16,64]"}, says="the scales make"),
    Case("empty", "Resize", [X, None, "float32[4]"], change={0: "float32[2,3,0,8]"}, declared={0: X}, says="cannot become"),
    Case("region", "Resize", [X, ROI, SCALES], CROP, change={1: ROI[:4]}, says="[8] is needed"),
    Case("grid", "GridSample", [X, "float32[2,5,5,2]"], change={1: "float32[2,5,5,3]"}, says="input 1"),
    Case("batch", "GridSample", [X, "float32[2,5,5,2]"], change={1: "float32[1,5,5,2]"}, says="input 1"),
    Case("rank", "GridSample", [X, "float32[2,5,5,2]"], change={1: "float32[2,5,2]"}, says="4 dimensions"),
    Case("empty", "GridSample", [X, "float32[2,5,5,2]"], change={0: "float32[2,3,0,8]"}, says="nothing to sample"),
    Case("regions", "RoiAlign", [X, *ROIS], change={1: "float32[5,5]"}, says="[5,4] is needed"),
    Case("batches", "RoiAlign", [X, *ROIS], change={2: ints(0)}, says="[5] is needed"),
    Case("image", "RoiAlign", [X, *ROIS], change={2: ints(0, 1, 2, 0, 1)}, says="there are 2"),
    Case("bins", "RoiAlign", [X, *ROIS], change={"output_height": 0}, says="0 x 1 bins"),
    Case("empty", "RoiAlign", [X, *ROIS], change={0: "float32[2,3,0,8]"}, says="nothing to sample"),
]


@parametrized(CASES)
def test_sampling(case: Case) -> None:
    check(case)
