"""LSTM, GRU and RNN: states, biases, peepholes and lengths that belong to the sequences."""

from tests.contracts.cases import Case, Check, Operand, check, ints, number, ones, parametrized

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
SIZE = {"hidden_size": 2}


def operands(op: str) -> list[Operand]:
    """X of 5 steps, 3 sequences and width 4; W, R and B for a hidden size of 2."""
    rows = 2 * GATES[op]
    return ["float32[5,3,4]", f"float32[1,{rows},4]", f"float32[1,{rows},2]", f"float32[1,{2 * rows}]"]


CHANGES: list[Check] = [
    ("width", {0: "float32[5,3,5]"}, "input 1"),
    ("recurrence", {2: "float32[1,2,3]"}, "input 2"),
    ("hidden", {"hidden_size": 3}, "input 1"),
    ("bias", {3: "float32[1,1]"}, "input 3"),
    ("lengths", {4: "int32[2]"}, "[3] is needed"),
    ("negative length", {4: ints(5, -3, 1, dtype="int32")}, "length -3"),
    ("long length", {4: ints(5, 100, 1, dtype="int32")}, "length 100"),
    ("initial h", {5: "float32[1,1,1]"}, "[1,3,2] is needed"),
    ("directions", {"direction": "bidirectional"}, "input 1"),
    ("direction", {"direction": "sideways"}, "not known"),
    ("activations", {"activations": ["Tanh"] * 7}, "7 activations"),
    ("layout", {"layout": 1, 5: "float32[1,3,2]"}, "[5,1,2] is needed"),
]
CASES = [Case(name, op, operands(op), SIZE, change, says=says) for op in GATES for name, change, says in CHANGES] + [
    Case("initial c", "LSTM", operands("LSTM"), SIZE, change={6: "float32[1,1,1]"}, says="input 6"),
    Case("peepholes", "LSTM", operands("LSTM"), SIZE, change={7: "float32[1,2]"}, says="[1,6] is needed"),
    Case("declared", "GRU", operands("GRU"), SIZE, declared={0: "float32[5,1,3,3]"}, says="is computed"),
    Case("last state", "GRU", operands("GRU"), SIZE, declared={1: "float32[1,5,2]"}, outputs=2, says="output 1"),
]


def coded(op: str) -> list[Operand]:
    """The operands of a hybrid operator: codes for weights, and a scale for each of their rows."""
    x, w, r, b = (str(o) for o in operands(op))
    scale = f"float32[1,{2 * GATES[op]},1]"
    return [x, w.replace("float32", "int8"), r.replace("float32", "int8"), b, None, None, None, None, scale, scale]


CODED: list[Check] = [
    ("codes", {1: "uint8[1,8,4]"}, "input 1"),
    ("scales", {9: "float32[8]"}, "input 9"),
    ("numbers", {0: "float64[5,3,4]"}, "float64"),
    ("state", {5: "float32[1,1,1]"}, "[1,3,2] is needed"),
    ("cells", {6: "float32[1,1,1]"}, "input 6"),
]
CASES += [Case(name, "HybridLSTM", coded("LSTM"), SIZE, change, says=says, domain="ai.edgeopt") for name, change, says in CODED]
CASES += [Case("codes", f"Hybrid{op}", coded(op), SIZE, {1: "uint8[1,8,4]"}, says="input 1", domain="ai.edgeopt") for op in GATES]


def integers(op: str) -> list[Operand]:
    """The operands of a quantised operator: codes for the input, too, then the grids of the input and of the units."""
    grid: list[Operand] = [number(0.1), number(3, "uint8")]
    return ["uint8[5,3,4]", *coded(op)[1:], *grid, *grid]


INTEGERS: list[Check] = [
    ("input", {0: "float32[5,3,4]"}, "uint8 or int8 is needed"),
    ("weights", {2: "int4[1,8,2]"}, "int8 is needed"),
    ("zero point", {11: number(3, "int8")}, "int8"),
    ("scale of x", {10: ones(2)}, "one number"),
    ("scale of units", {12: number(0.0)}, "not positive and finite"),
    ("units", {13: number(3, "int32")}, "int32"),
    ("lengths", {4: "int32[3]"}, "integer products do not have"),
    ("peepholes", {7: "float32[1,6]"}, "integer products do not have"),
]
CASES += [
    Case(name, "QuantLSTM", integers("LSTM"), SIZE, change, says=says, domain="ai.edgeopt") for name, change, says in INTEGERS
]
CASES += [
    Case("codes", f"Quant{op}", integers(op), SIZE, {1: "uint8[1,8,4]"}, says="input 1", domain="ai.edgeopt") for op in GATES
]


@parametrized(CASES)
def test_recurrent(case: Case) -> None:
    check(case)
