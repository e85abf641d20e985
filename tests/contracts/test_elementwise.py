"""Operators on elements: the result has the shape that the inputs broadcast to, of one element type."""

from collections.abc import Mapping

from edgeopt.ops.contracts.elementwise import RULES, together
from tests.contracts.cases import Case, check, ints, number, ones, parametrized

BOOLEAN = ("And", "Or", "Xor", "Not")
INTEGER = ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift")
OTHERS = ("Clip", "PRelu", "Dropout", "CastLike", "Where")
OWN = ("Silu",)


def dtype_of(op: str) -> str:
    return "bool" if op in BOOLEAN else "uint8" if op in INTEGER else "float32"


ATTRIBUTES: dict[str, dict[str, object]] = {"BitShift": {"direction": "LEFT"}, "Cast": {"to": 1}}
TESTS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN")


def plain(op: str, count: int, change: Mapping[int | str, object] | None = None) -> Case:
    """``op`` on ``count`` inputs with a change, or else with a result that is declared larger."""
    kind, domain = dtype_of(op), "ai.edgeopt" if op in OWN else ""
    inputs, attributes = [f"{kind}[2,3]", f"{kind}[3]"][:count], ATTRIBUTES.get(op, {})
    if change is not None:
        return Case("broadcast", op, inputs, attributes, change, says="does not broadcast", domain=domain, opset=24)
    declared = {0: f"{'bool' if op in TESTS else kind}[2,300]"}
    return Case("declared", op, inputs, attributes, declared=declared, says="is computed", domain=domain, opset=24)


BINARY = [op for op, rule in RULES.items() if rule is together and op not in OTHERS]
UNARY = [op for op, rule in RULES.items() if rule is not together and op not in OTHERS]


X = "float32[2,3]"
PARAMETERS = [
    Case("three", "Sum", [X, "float32[3]", "float32[2,1]"], change={2: "float32[4,1]"}, says="input 2"),
    Case("type", "Add", [X, X], change={1: "float64[2,3]"}, says="float64"),
    Case("condition", "Where", ["bool[2,3]", X, X], change={0: "bool[5,3]"}, says="does not broadcast"),
    Case("condition type", "Where", ["bool[2,3]", X, X], change={0: "uint8[2,3]"}, says="uint8"),
    Case("branch", "Where", ["bool[2,3]", X, X], change={2: "float32[4]"}, says="input 2"),
    Case("minimum", "Clip", [X, number(0), number(1)], change={1: ones(7)}, says="one number"),
    Case("maximum", "Clip", [X, None, number(1)], change={2: ones(0)}, says="one number"),
    Case("limit type", "Clip", [X, number(0)], change={1: number(0, "float64")}, says="float64"),
    Case("slope", "PRelu", [X, "float32[3]"], change={1: "float32[4]"}, says="does not broadcast"),
    Case("slope larger", "PRelu", [X, "float32[3]"], change={1: "float32[5,2,3]"}, says="does not broadcast"),
    Case("ratio", "Dropout", [X, number(0.5)], change={1: ones(3)}, says="one number"),
    Case("mask", "Dropout", [X], declared={1: "bool[9]"}, outputs=2, says="output 1"),
    Case("like", "CastLike", [X, ints(1)], declared={0: "int64[9]"}, says="is computed"),
    Case("code type", "BitShift", ["uint8[3]", "uint8[3]"], {"direction": "LEFT"}, change={1: "uint16[3]"}, says="uint16"),
]
CASES = [
    *(plain(op, 1) for op in UNARY),
    *(plain(op, 2) for op in BINARY),
    *(plain(op, 2, {1: f"{dtype_of(op)}[4]"}) for op in BINARY),
    *PARAMETERS,
]


@parametrized(CASES)
def test_elementwise(case: Case) -> None:
    check(case)
