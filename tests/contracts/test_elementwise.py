"""Operators on elements: the result has the shape that the inputs broadcast to, of one element type."""

from edgeopt.ops.contracts.elementwise import RULES, together
from tests.contracts.cases import Case, check, ints, number, ones, parametrized

BOOLEAN = ("And", "Or", "Xor", "Not")
INTEGER = ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift")
OTHERS = ("Clip", "PRelu", "Dropout", "CastLike", "Where")
OWN = ("Silu",)


def dtype_of(op: str) -> str:
    return "bool" if op in BOOLEAN else "uint8" if op in INTEGER else "float32"


def attributes_of(op: str) -> dict[str, object]:
    return {"BitShift": {"direction": "LEFT"}, "Cast": {"to": 1}}.get(op, {})


def plain(op: str, count: int, declared: str = "") -> Case:
    """``op`` on ``count`` inputs; a result that is declared larger, or an input that does not broadcast."""
    kind = dtype_of(op)
    inputs = [f"{kind}[2,3]", f"{kind}[3]"][:count]
    result = "bool" if op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN") else kind
    facts = {"opset": 24, "attributes": attributes_of(op), "domain": "ai.edgeopt" if op in OWN else ""}
    if declared:
        return Case("declared", op, inputs, declared={0: f"{result}{declared}"}, says="is computed", **facts)
    return Case("broadcast", op, inputs, change={1: f"{kind}[4]"}, says="does not broadcast", **facts)


BINARY = [op for op, rule in RULES.items() if rule is together and op not in OTHERS]
UNARY = [op for op, rule in RULES.items() if rule is not together and op not in OTHERS]


@parametrized([plain(op, 1, "[2,300]") for op in UNARY] + [plain(op, 2, "[2,300]") for op in BINARY])
def test_a_result_is_not_larger_than_its_inputs(case: Case) -> None:
    check(case)


@parametrized([plain(op, 2) for op in BINARY])
def test_inputs_broadcast(case: Case) -> None:
    check(case)


X = "float32[2,3]"


@parametrized(
    [
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
)
def test_parameters(case: Case) -> None:
    check(case)
