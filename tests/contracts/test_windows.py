"""Convolutions and pools: channels, kernels, pads, biases and residuals that belong together."""

from tests.contracts.cases import Case, Check, Operand, check, parametrized

X, W, B = "float32[1,4,8,8]", "float32[6,4,3,3]", "float32[6]"
T = "float32[4,3,3,3]"
POOL = {"kernel_shape": [2, 2]}
SLOPED: list[Operand] = [X, W, None, None, "float32[6,1,1]"]
SLOPES: list[tuple[str, Operand, str]] = [
    ("slopes", "float32[5,1,1]", "[6,1,1] is needed"),
    ("rank of slopes", "float32[6]", "[6,1,1] is needed"),
    ("no slopes", None, "no slopes"),
    ("type of slopes", "float16[6,1,1]", "float16"),
]
GATED: list[Operand] = [X, W, None, None, "float32[1,4,1,1]"]
GATES: list[tuple[str, Operand, str]] = [
    ("gate", "float32[1,6,1,1]", "[1,4,1,1] is needed"),
    ("rank of a gate", "float32[4,1,1]", "[1,4,1,1] is needed"),
    ("no gate", None, "no gate"),
    ("type of a gate", "float16[1,4,1,1]", "float16"),
]

CONVOLUTIONS = [
    Case("channels", "Conv", [X, W], change={0: "float32[1,5,8,8]"}, says="5 channels"),
    Case("weight channels", "Conv", [X, W], change={1: "float32[6,3,3,3]"}, says="takes 3"),
    Case("group", "Conv", [X, "float32[6,2,3,3]"], {"group": 2}, change={"group": 3}, says="takes 6"),
    Case("group outputs", "Conv", [X, W], change={1: "float32[6,1,3,3]", "group": 4}, says="do not divide into 4 groups"),
    Case("group zero", "Conv", [X, W], change={"group": 0}, says="0 groups"),
    Case("bias", "Conv", [X, W, B], change={2: "float32[3]"}, says="[6] is needed"),
    Case("bias rank", "Conv", [X, W, B], change={2: "float32[1,6]"}, says="[6] is needed"),
    Case("kernel", "Conv", [X, W], {"kernel_shape": [3, 3]}, change={"kernel_shape": [5, 5]}, says="kernel_shape is [5, 5]"),
    Case("kernel smaller", "Conv", [X, W], change={"kernel_shape": [1, 1]}, says="kernel_shape is [1, 1]"),
    Case("kernel none", "Conv", [X, W], change={"kernel_shape": []}, says="kernel_shape is []"),
    Case("kernel zero", "Conv", [X, W], change={1: "float32[6,4,0,3]"}, says="below 1"),
    Case("pads", "Conv", [X, W], change={"pads": [-1, 0, 0, 0]}, says="pads is [-1, 0, 0, 0]"),
    Case("pads count", "Conv", [X, W], change={"pads": [1, 1]}, says="4 numbers"),
    Case("strides", "Conv", [X, W], change={"strides": [0, 1]}, says="strides is [0, 1]"),
    Case("dilations", "Conv", [X, W], change={"dilations": [1, 1, 1]}, says="dilations is [1, 1, 1]"),
    Case("mode", "Conv", [X, W], change={"auto_pad": "SAME"}, says="'SAME' is not known"),
    Case("larger", "Conv", [X, W], change={1: "float32[6,4,10,3]"}, says="reaches over [10, 3]"),
    Case("rank", "Conv", [X, W], change={1: "float32[6,4,3]"}, says="4 dimensions"),
    Case("declared", "Conv", [X, W], declared={0: "float32[1,6,8,8]"}, says="[1,6,6,6] is computed"),
    Case(
        "residual",
        "FusedConv",
        [X, W, None, "float32[1,6,6,6]"],
        change={3: "float32[1,6,5,5]"},
        domain="ai.edgeopt",
        says="input 3",
    ),
    Case("type", "FusedConv", [X, W], change={1: "float64[6,4,3,3]"}, domain="ai.edgeopt", says="float64"),
    *(Case(name, "PReluConv", SLOPED, change={4: slopes}, domain="ai.edgeopt", says=says) for name, slopes, says in SLOPES),
    *(Case(name, "GatedConv", GATED, change={4: gate}, domain="ai.edgeopt", says=says) for name, gate, says in GATES),
    Case("channels", "ConvTranspose", [X, T], change={0: "float32[1,5,8,8]"}, says="5 channels"),
    Case("group", "ConvTranspose", [X, T], {"group": 2}, change={"group": 3}, says="in 3 group(s)"),
    Case("bias", "ConvTranspose", [X, T, "float32[6]"], {"group": 2}, change={2: "float32[3]"}, says="[6] is needed"),
    Case("kernel", "ConvTranspose", [X, T], change={"kernel_shape": [5, 5]}, says="kernel_shape is [5, 5]"),
    Case("shape", "ConvTranspose", [X, T], {"output_shape": [9, 9]}, change={"output_shape": [100, 100]}, says="output_shape"),
    Case("shape count", "ConvTranspose", [X, T], change={"output_shape": [9]}, says="output_shape"),
    Case("output pads", "ConvTranspose", [X, T], {"strides": [2, 2]}, change={"output_padding": [2, 2]}, says="output_padding"),
    Case("pads", "ConvTranspose", [X, T], change={"pads": [6, 6, 6, 6]}, says="extents [-2, -2]"),
    Case("declared", "ConvTranspose", [X, T], declared={0: "float32[1,3,11,11]"}, says="is computed"),
]
CHANGES: list[Check] = [
    ("pads", {"pads": [5, 5, 5, 5]}, "hold whole windows"),
    ("negative pads", {"pads": [0, 0, -1, 0]}, "pads is"),
    ("kernel zero", {"kernel_shape": [0, 2]}, "below 1"),
    ("kernel count", {"kernel_shape": [2]}, "kernel_shape is [2]"),
    ("strides", {"strides": [1, 0]}, "strides is"),
]
OPERATORS = ("AveragePool", "MaxPool", "LpPool")
POOLS = [Case(name, op, [X], POOL, change, says=says) for op in OPERATORS for name, change, says in CHANGES] + [
    Case("declared", "MaxPool", [X], POOL, declared={0: "float32[1,4,8,8]"}, says="[1,4,7,7] is computed"),
    Case("indices", "MaxPool", [X], POOL, declared={1: "int64[1,4,8,8]"}, outputs=2, says="output 1"),
    Case("power", "LpPool", [X], POOL, change={"p": 0}, says="power p is 0"),
    *(
        Case("empty", op, [X], change={0: "float32[1,4,0,8]"}, says="maps are empty")
        for op in ("GlobalAveragePool", "GlobalLpPool")
    ),
    Case("rank", "GlobalMaxPool", [X], change={0: "float32[1,4]"}, says="at least 3 dimensions"),
    Case("declared", "GlobalMaxPool", [X], declared={0: "float32[1,4,2,2]"}, says="is computed"),
]
CASES = CONVOLUTIONS + POOLS


@parametrized(CASES)
def test_windows(case: Case) -> None:
    check(case)
