"""Products and normalisations: inner dimensions that meet, parameters for what is there."""

from tests.contracts.cases import Case, check, parametrized

A, B, X, C = "float32[2,3]", "float32[3,4]", "float32[2,6,5,5]", "float32[6]"
BATCH = [X, C, C, C, C]

CASES = [
    Case("depth", "MatMul", [A, B], change={1: "float32[4,4]"}, says="no common depth"),
    Case("vector", "MatMul", [A, "float32[3]"], change={1: "float32[2]"}, says="no common depth"),
    Case("stack", "MatMul", ["float32[5,2,3]", B], change={1: "float32[4,3,4]"}, says="do not broadcast"),
    Case("number", "MatMul", [A, B], change={0: "float32[]"}, says="at least 1 dimensions"),
    Case("declared", "MatMul", [A, B], declared={0: "float32[2,5]"}, says="is computed"),
    Case("depth", "Gemm", [A, B], change={1: "float32[5,4]"}, says="no common depth"),
    Case("transposed", "Gemm", [A, B], change={"transB": 1}, says="no common depth"),
    Case("rank", "Gemm", [A, B], change={0: "float32[1,2,3]"}, says="2 dimensions"),
    Case("bias", "Gemm", [A, B, "float32[4]"], change={2: "float32[6]"}, says="does not broadcast to [2,4]"),
    Case("bias larger", "Gemm", [A, B, "float32[4]"], change={2: "float32[1,2,4]"}, says="does not broadcast to [2,4]"),
    Case("depth", "FusedGemm", [A, B], change={1: "float32[5,4]"}, domain="ai.edgeopt", says="no common depth"),
    Case("bias", "FusedGemm", [A, B, "float32[4]"], change={2: "float32[5]"}, domain="ai.edgeopt", says="does not broadcast"),
    Case(
        "residual",
        "FusedGemm",
        [A, B, None, "float32[2,4]"],
        change={3: "float32[4]"},
        domain="ai.edgeopt",
        says="[2,4] is needed",
    ),
    *(Case(f"parameter {i}", "BatchNormalization", BATCH, change={i: "float32[3]"}, says="[6] is needed") for i in range(1, 5)),
    Case("declared", "BatchNormalization", BATCH, declared={0: "float32[2,6,5,6]"}, says="is computed"),
    *(Case(f"parameter {i}", "InstanceNormalization", [X, C, C], change={i: "float32[5]"}, says="[6] is needed") for i in (1, 2)),
    Case("groups", "GroupNormalization", [X, C, C], {"num_groups": 2}, change={"num_groups": 4}, says="into 4 groups"),
    Case("zero groups", "GroupNormalization", [X, C, C], {"num_groups": 2}, change={"num_groups": 0}, says="into 0 groups"),
    Case("scale", "GroupNormalization", [X, C, C], {"num_groups": 2}, change={1: "float32[2]"}, says="[6] is needed"),
    Case("scale", "LayerNormalization", [A, "float32[3]"], change={1: "float32[4]"}, says="does not broadcast"),
    Case("bias", "LayerNormalization", [A, "float32[3]", "float32[3]"], change={2: "float32[2]"}, says="does not broadcast"),
    Case("axis", "LayerNormalization", [A, "float32[3]"], change={"axis": -3}, says="outside of 2 dimensions"),
    Case("mean", "LayerNormalization", [A, "float32[3]"], declared={1: "float32[2,3]"}, outputs=2, says="output 1"),
    Case("scale", "RMSNormalization", [A, "float32[3]"], change={1: "float32[4]"}, opset=23, says="does not broadcast"),
    Case("axes", "MeanVarianceNormalization", [X], {"axes": [0, 2, 3]}, change={"axes": [4]}, says="outside of 4 dimensions"),
    Case("axis", "LpNormalization", [X], change={"axis": 4}, says="outside of 4 dimensions"),
    Case("power", "LpNormalization", [X], change={"p": 3}, says="power p is 3"),
    Case("size", "LRN", [X], {"size": 3}, change={"size": 0}, says="size is 0"),
    Case("rank", "LRN", [X], {"size": 3}, change={0: "float32[6]"}, says="at least 2 dimensions"),
]


@parametrized(CASES)
def test_products(case: Case) -> None:
    check(case)
