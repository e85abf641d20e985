"""The operators of ai.edgeopt on codes: what an artifact or a model file of ours may lie about."""

from collections.abc import Sequence

import numpy as np

from tests.contracts.cases import Case, Check, Operand, check, number, ones, parametrized

S, Z, WZ, WS = number(0.1), number(3, "uint8"), number(0, "int8"), ones(6)
X, WEIGHT, DENSE = "uint8[1,4,8,8]", ones(6, 4, 3, 3, dtype="int8"), ones(4, 6, dtype="int8")
BIAS = np.zeros(6, "int32")
CONV: list[Operand] = [X, S, Z, WEIGHT, WS, WZ, BIAS, S, Z, "uint8[1,6,6,6]", S, Z]
GEMM: list[Operand] = ["uint8[2,4]", S, Z, DENSE, WS, WZ, BIAS, S, Z, "uint8[2,6]", S, Z]
TRANSPOSED: list[Operand] = [X, S, Z, ones(4, 6, 3, 3, dtype="int8"), WS, WZ, BIAS, S, Z]
DYNAMIC_CONV: list[Operand] = [X, "float32[]", "uint8[]", WEIGHT, WS, WZ, ones(6)]
DYNAMIC_GEMM: list[Operand] = ["uint8[2,4]", "float32[]", "uint8[]", DENSE, WS, WZ, ones(6)]
HYBRID_CONV: list[Operand] = ["float32[1,4,8,8]", WEIGHT, WS, ones(6), "float32[1,6,6,6]"]
HYBRID_GEMM: list[Operand] = ["float32[2,4]", DENSE, WS, ones(6), "float32[2,6]"]
BLOCKS, STARTS = np.array([0, 3, 8, 1], "int32"), np.array([0, 3, 4], "int32")
FEW = [np.array([0, 2, 1, 2], "int32"), np.array([0, 2, 4], "int32")]
SPARSE_CONV: list[Operand] = ["float32[1,4,8,8]", ones(4, 4, 4), ones(6), "float32[1,6,6,6]", BLOCKS, STARTS]
SPARSE_GEMM: list[Operand] = ["float32[2,12]", ones(4, 4, 4), ones(6), "float32[2,6]", *FEW]
SPARSE_QUANT: list[Operand] = [X, S, Z, ones(4, 4, 4, dtype="int8"), WS, None, *CONV[6:], BLOCKS, STARTS]
SPARSE_CODES: list[Operand] = ["uint8[2,12]", *SPARSE_QUANT[1:9], *GEMM[9:], *FEW]
CODES, BOOKS = np.ones((2, 6, 1, 3, 3), "uint8"), ones(2, 1, 3, 4, dtype="int8")
LOOKUP_CONV: list[Operand] = [X, S, Z, CODES, BOOKS, WS, ones(6), S, Z, "uint8[1,6,6,6]", S, Z]
LOOKUP_GEMM: list[Operand] = ["uint8[2,4]", S, Z, CODES[..., 0, 0], BOOKS, WS, ones(6), S, Z, "uint8[2,6]", S, Z]
ATTENTION: list[Operand] = ["float32[2,5,4]", "float32[2,7,4]", "float32[2,7,3]", "float32[5,7]"]
PAIR: list[Operand] = ["uint8[2,3]", S, Z, "uint8[3]", S, Z, S, Z]
ONE: list[Operand] = [X, S, Z, S, Z]
MATRICES: list[Operand] = ["uint8[2,3]", S, Z, "uint8[3,6]", S, Z, S, Z]
SCALED: list[Operand] = [X, S, Z, ones(4, 1, 1), ones(4, 1, 1), S, Z]
POOL = {"kernel_shape": [2, 2]}
PARTS: list[Operand] = [S, Z, "uint8[1,4]", S, Z, "uint8[1,2]", S, Z]
TABLE = np.zeros(256, "uint8")

Changes = Sequence[Check]


def each(op: str, inputs: Sequence[Operand], changes: Changes, **attributes: object) -> list[Case]:
    """A Case of ``op`` for each change."""
    return [Case(name, op, inputs, attributes, change=change, domain="ai.edgeopt", says=says) for name, change, says in changes]


PRODUCT: Changes = (
    ("x scale", {1: ones(4)}, "one number"),
    ("x zero", {2: number(0, "int8")}, "int8"),
    ("w scale", {4: ones(5)}, "or [6] is needed"),
    ("w zero", {5: np.zeros(5, "int8")}, "or [6] is needed"),
    ("y scale", {7: ones(6)}, "one number"),
    ("y zero scale", {7: number(0.0)}, "not positive and finite"),
    ("residual", {9: "uint8[1,2]"}, "input 9"),
    ("residual scale", {10: ones(2)}, "one number"),
    ("codes", {0: "int32[1,4,8,8]"}, "int32"),
)
DYNAMIC: Changes = (
    ("x scale", {1: "float32[4]"}, "one number"),
    ("x zero", {2: "uint8[4]"}, "one number"),
    ("w scale", {4: ones(5)}, "or [6] is needed"),
    ("w zero", {5: np.zeros(5, "int8")}, "or [6] is needed"),
    ("bias", {6: ones(7)}, "input 6"),
)
LOOKUP: Changes = (
    ("x scale", {1: ones(4)}, "one number"),
    ("codes", {3: "int32[2,6,1]"}, "input 3"),
    ("book", {4: ones(1, 1, 3, 4, dtype="int8")}, "one number of codebooks"),
    ("book space", {4: ones(2, 2, 3, 4, dtype="int8")}, "1 sub-spaces"),
    ("book width", {4: ones(2, 1, 3, 2, dtype="int8")}, "other than 2 sub-spaces"),
    ("codeword", {4: ones(2, 1, 1, 4, dtype="int8")}, "outside of an axis of 1"),
    ("scale", {5: ones(5)}, "or [6] is needed"),
    ("bias", {6: ones(5)}, "input 6"),
    ("y scale", {7: ones(6)}, "one number"),
    ("residual", {9: "uint8[1,2]"}, "input 9"),
    ("shift", {"shift": 9}, "0 to 8"),
)
HYBRID: Changes = (
    ("scale", {2: ones(5)}, "or [6] is needed"),
    ("bias", {3: ones(7)}, "input 3"),
    ("residual", {4: "float32[1,2]"}, "input 4"),
    ("weight", {1: np.ones(6, "float32")}, "input 1"),
)
STORED: Changes = (
    ("block", {"block": [16]}, "outputs and inputs are needed"),
    ("no weight", {"weight_shape": [6]}, "the extents of a weight"),
    ("column", {4: np.array([0, 3, 9, 1], "int32")}, "outside of 9"),
    ("order", {4: np.array([3, 0, 8, 1], "int32")}, "does not ascend in each row"),
    ("columns of another type", {4: np.array([0, 3, 8, 1])}, "int64"),
    ("number of columns", {4: BLOCKS[:3]}, "[4] is needed"),
    ("rows", {5: np.array([0, 4], "int32")}, "[3] is needed"),
    ("empty row", {5: np.array([0, 4, 4], "int32")}, "does not ascend from 0 to 4"),
    ("end", {5: np.array([0, 3, 5], "int32")}, "does not ascend from 0 to 4"),
    ("data", {1: ones(4, 4, 2)}, "[4,4,4] is needed"),
    ("channels", {0: "float32[1,3,8,8]"}, "3 channels"),
    ("bias", {2: ones(5)}, "input 2"),
)
SPARSE: Changes = (("x scale", {1: ones(4)}, "one number"), ("w scale", {4: ones(5)}, "or [6] is needed"))
UNARY: Changes = (("x scale", {1: ones(4)}, "one number"), ("y scale", {3: number(0.0)}, "not positive and finite"))
BINARY: Changes = (
    ("shape", {3: "uint8[4]"}, "does not broadcast"),
    ("scale", {4: ones(3)}, "one number"),
    ("y zero", {7: np.zeros(3, "uint8")}, "one number"),
)
MEET: Changes = (
    ("depth", {1: "float32[2,7,5]"}, "meet keys of 5"),
    ("values", {2: "float32[2,6,3]"}, "7 keys and 6 values"),
    ("stack", {2: "float32[1,7,3]"}, "stacks"),
    ("mask", {3: "float32[5,6]"}, "does not broadcast"),
    ("order", {"k_order": [0, 2, 2]}, "no permutation"),
    ("type", {0: "float64[2,5,4]", 1: "float64[2,7,4]", 2: "float64[2,7,3]", 3: "float64[5,7]"}, "float64"),
)
CASES = [
    *each("FusedAttention", ATTENTION, MEET),
    *each("QuantConv", CONV, (*PRODUCT, ("channels", {0: "uint8[1,3,8,8]"}, "3 channels"), ("bias", {6: BIAS[:5]}, "input 6"))),
    *each("QuantConvTranspose", TRANSPOSED, PRODUCT[:6]),
    *each("QuantGemm", GEMM, (*PRODUCT, ("depth", {0: "uint8[2,5]"}, "no common depth"), ("bias", {6: BIAS[:5]}, "input 6"))),
    *each("DynamicConv", DYNAMIC_CONV, (*DYNAMIC, ("channels", {0: "uint8[1,3,8,8]"}, "3 channels"))),
    *each("DynamicGemm", DYNAMIC_GEMM, (*DYNAMIC, ("depth", {0: "uint8[2,5]"}, "no common depth"))),
    *each("HybridConv", HYBRID_CONV, (*HYBRID, ("channels", {0: "float32[1,3,8,8]"}, "3 channels"))),
    *each("HybridGemm", HYBRID_GEMM, (*HYBRID, ("depth", {0: "float32[2,5]"}, "no common depth"))),
    *each("SparseConv", SPARSE_CONV, STORED, weight_shape=[6, 4, 3, 3], block=[4, 4]),
    *each("SparseGemm", SPARSE_GEMM, (("depth", {0: "float32[2,5]"}, "no common depth"),), weight_shape=[12, 6], block=[4, 4]),
    *each("SparseQuantGemm", SPARSE_CODES, SPARSE, weight_shape=[12, 6], block=[4, 4]),
    *each("SparseQuantConv", SPARSE_QUANT, SPARSE, weight_shape=[6, 4, 3, 3], block=[4, 4]),
    *each("LookupConv", LOOKUP_CONV, (*LOOKUP, ("channels", {0: "uint8[1,5,8,8]"}, "input 3"))),
    *each("LookupConv", LOOKUP_CONV, (("group", {"group": 3}, "not divide"), ("kernel", {"kernel_shape": [2, 2]}, "has [3, 3]"))),
    *each("LookupGemm", LOOKUP_GEMM, (*LOOKUP, ("depth", {0: "uint8[2,5]"}, "input 3"))),
    *each("QuantAdd", PAIR, BINARY),
    *each("QuantMul", PAIR, BINARY),
    *each("QuantMatMul", MATRICES, (("depth", {3: "uint8[2,6]"}, "no common depth"), ("scale", {4: ones(3)}, "one number"))),
    *each("QuantScaleShift", SCALED, (("x scale", {1: ones(4)}, "one number"), ("factor", {3: ones(6, 1, 1)}, "input 3"))),
    *each("QuantAveragePool", ONE, (*UNARY, ("pads", {"pads": [5, 5, 5, 5]}, "whole windows")), **POOL),
    *each("QuantGlobalAveragePool", ONE, (*UNARY, ("empty", {0: "uint8[1,4,0,8]"}, "maps are empty"))),
    *each("QuantSoftmax", ONE, (*UNARY, ("axis", {"axis": 4}, "outside of 4"))),
    *each("QuantConcat", PARTS, (("part", {5: "uint8[2,2]"}, "does not join"), ("scale", {3: ones(4)}, "one number")), axis=1),
    *each("QuantLookup", [X, TABLE], (("table", {1: TABLE[:200]}, "[256] is needed"), ("codes", {0: "uint16[2]"}, "uint16"))),
]


@parametrized(CASES)
def test_own_operators(case: Case) -> None:
    check(case)
