"""Scales and zero points: one number, one for each channel, one for each block; of the right type, and no divisor of 0."""

import numpy as np

from tests.contracts.cases import Case, Operand, check, number, ones, parametrized

S, Z = number(0.1), number(3, "uint8")
CODES, WEIGHT, DENSE = "uint8[1,4,8,8]", ones(6, 4, 3, 3, dtype="int8"), ones(4, 6, dtype="int8")
WZ, WS = number(0, "int8"), ones(6)
CONV: list[Operand] = [CODES, S, Z, WEIGHT, WS, WZ, S, Z]
MATMUL: list[Operand] = ["uint8[2,4]", S, Z, DENSE, WS, np.zeros(6, "int8"), S, Z]
ZERO, NAN = number(0.0), number(np.nan)

CASES = [
    Case("scale", "QuantizeLinear", ["float32[2,6]", ones(6)], change={1: ones(5)}, says="[6] is needed"),
    Case("zero", "QuantizeLinear", ["float32[2,6]", S, Z], change={1: ZERO}, says="not positive and finite"),
    Case("nan", "QuantizeLinear", ["float32[2,6]", S, Z], change={1: NAN}, says="not positive and finite"),
    Case("zero point", "QuantizeLinear", ["float32[2,6]", S, Z], change={2: ones(6, dtype="uint8")}, says="input 2"),
    Case("axis", "QuantizeLinear", ["float32[2,6]", ones(6)], change={"axis": 2}, says="outside of 2 dimensions"),
    Case("axis", "DequantizeLinear", ["int8[1,4]", ones(4)], change={"axis": 9}, says="outside of 2 dimensions"),
    Case("scale", "DequantizeLinear", ["int8[1,4]", ones(4)], change={1: ones(3)}, says="[4] is needed"),
    Case("zero point", "DequantizeLinear", ["int8[1,4]", ones(4), ones(4, dtype="int8")], change={2: ones(2, dtype="int8")},
         says="input 2"),
    Case("type", "DequantizeLinear", ["int8[1,4]", S, WZ], change={2: Z}, says="uint8"),
    Case("block", "DequantizeLinear", ["int8[2,6]", ones(2, 3)], {"block_size": 2}, change={"block_size": 3},
         says="[2,2] is needed"),
    Case("declared", "DynamicQuantizeLinear", ["float32[2,3]"], declared={0: "uint8[2,4]"}, outputs=3, says="is computed"),
    Case("number", "DynamicQuantizeLinear", ["float32[2,3]"], declared={1: "float32[3]"}, outputs=3, says="output 1"),
    Case("x scale", "QLinearConv", CONV, change={1: ones(4)}, says="one number"),
    Case("x zero", "QLinearConv", CONV, change={2: number(0, "int8")}, says="int8"),
    Case("w scale", "QLinearConv", CONV, change={4: ones(3)}, says="or [6] is needed"),
    Case("w scale longer", "QLinearConv", CONV, change={4: ones(100)}, says="or [6] is needed"),
    Case("w zero", "QLinearConv", CONV, change={5: np.zeros(3, "int8")}, says="or [6] is needed"),
    Case("w nan", "QLinearConv", CONV, change={4: WS * np.nan}, says="negative or not finite"),
    Case("y scale", "QLinearConv", CONV, change={6: ones(6)}, says="one number"),
    Case("y zero scale", "QLinearConv", CONV, change={6: ZERO}, says="not positive and finite"),
    Case("y zero", "QLinearConv", CONV, change={7: np.zeros(6, "uint8")}, says="one number"),
    Case("bias", "QLinearConv", CONV, change={8: np.zeros(4, "int32")}, says="[6] is needed"),
    Case("channels", "QLinearConv", CONV, change={0: "uint8[1,3,8,8]"}, says="3 channels"),
    Case("channels", "ConvInteger", [CODES, WEIGHT, Z], change={0: "uint8[1,3,8,8]"}, says="3 channels"),
    Case("x zero", "ConvInteger", [CODES, WEIGHT, Z], change={2: ones(2, dtype="uint8")}, says="one number"),
    Case("w zero", "ConvInteger", [CODES, WEIGHT, Z, WZ], change={3: np.zeros(4, "int8")}, says="or [6] is needed"),
    Case("depth", "QLinearMatMul", MATMUL, change={0: "uint8[2,5]"}, says="no common depth"),
    Case("a scale", "QLinearMatMul", MATMUL, change={1: ones(3)}, says="input 1"),
    Case("b scale", "QLinearMatMul", MATMUL, change={4: ones(5)}, says="input 4"),
    Case("b zero", "QLinearMatMul", MATMUL, change={5: np.zeros(5, "int8")}, says="input 5"),
    Case("y zero scale", "QLinearMatMul", MATMUL, change={6: ZERO}, says="not positive and finite"),
    Case("y zero", "QLinearMatMul", MATMUL, change={7: np.zeros(2, "uint8")}, says="one number"),
    Case("depth", "MatMulInteger", ["uint8[2,4]", DENSE], change={0: "uint8[2,5]"}, says="no common depth"),
    Case("a zero", "MatMulInteger", ["uint8[2,4]", DENSE, Z], change={2: ones(3, dtype="uint8")}, says="input 2"),
    Case("b zero", "MatMulInteger", ["uint8[2,4]", DENSE, Z, WZ], change={3: np.zeros(5, "int8")}, says="input 3"),
]  # fmt: skip


@parametrized(CASES)
def test_quantization(case: Case) -> None:
    check(case)
