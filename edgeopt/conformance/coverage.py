"""Runs ONNX's own node tests through the compiler: ``python -m edgeopt.conformance.coverage`` writes the table of what passes.

A test passes when every output has the expected type and shape and agrees within the tolerance of the test. It is native when no
node of the model ran on the host through the reference implementation.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

CORE = """Add AveragePool BatchNormalization Clip Concat Conv ConvTranspose DepthToSpace DequantizeLinear Div Dropout Exp Flatten
Gather Gelu Gemm GlobalAveragePool GlobalMaxPool GRU HardSigmoid HardSwish Identity LayerNormalization LeakyRelu LRN LSTM MatMul
MaxPool Mul Pad PRelu QLinearConv QLinearMatMul QuantizeLinear ReduceMax ReduceMean ReduceSum Relu Reshape Resize Sigmoid Slice
Softmax Split Sub Tanh Transpose""".split()

VISION = """Abs And ArgMax ArgMin Cast Ceil Celu ConstantOfShape Constant ConvInteger Cos CumSum DynamicQuantizeLinear Einsum Elu
Equal Erf Expand EyeLike Floor GatherElements GatherND Greater GreaterOrEqual GridSample GroupNormalization Hardmax If
InstanceNormalization IsInf IsNaN Less LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMulInteger Max
MeanVarianceNormalization Mean Min Mish Mod Neg NonMaxSuppression NonZero Not OneHot Or Pow Range Reciprocal ReduceL1 ReduceL2
ReduceLogSum ReduceLogSumExp ReduceMin ReduceProd ReduceSumSquare ReverseSequence RNN RoiAlign Round ScatterElements ScatterND
Selu Shape Sign Sin Size Softplus Softsign SpaceToDepth Sqrt Squeeze Sum ThresholdedRelu Tile TopK Trilu Unsqueeze Upsample Where
Xor""".split()


@dataclass(frozen=True)
class Outcome:
    """Result of one test: ``status`` is native, fallback or failed; ``reason`` says why it failed."""

    name: str
    op: str
    status: str
    reason: str = ""


def node_tests() -> Iterator[Any]:
    """The direct node tests of the installed onnx (those whose operator was expanded into its function body are left out)."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in load_model_tests(kind="node"):
            if "_expanded" not in case.name:
                yield case


def operator(case: Any) -> str:
    """The operator that a test is about."""
    return str(case.model.graph.node[-1].op_type if len(case.model.graph.node) == 1 else case.model.graph.node[0].op_type)


def run_case(case: Any) -> Outcome:
    """Compile and run one test."""
    from edgeopt.conformance.onnx_backend import EdgeoptBackend

    op = operator(case)
    try:
        rep = EdgeoptBackend.prepare(case.model)
        for inputs, expected in case.data_sets:
            check(rep.run(inputs), expected, case.rtol, case.atol)
    except Exception as error:  # a test may fail in any way; its reason goes into the table
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Outcome(case.name, op, "failed", lines[0][:160])
    return Outcome(case.name, op, "fallback" if rep.compiled.manifest["fallbacks"] else "native")


def check(actual: Iterable[Any], expected: Iterable[Any], rtol: float, atol: float) -> None:
    """Raises AssertionError when an output differs in type, shape or value."""
    for got, wanted in zip(actual, expected, strict=True):
        wanted = numpy_helper.to_array(wanted) if isinstance(wanted, TensorProto) else wanted
        if isinstance(wanted, (list, dict)) or wanted is None:
            assert type(got) is type(wanted), f"a {type(wanted).__name__} was expected"
            if isinstance(wanted, list) and isinstance(got, list):
                check(got, wanted, rtol, atol)
            continue
        wanted = np.asarray(wanted)
        assert got.dtype == wanted.dtype, f"type {got.dtype} instead of {wanted.dtype}"
        assert got.shape == wanted.shape, f"shape {got.shape} instead of {wanted.shape}"
        if wanted.dtype == object or wanted.dtype.kind in "USb":
            np.testing.assert_array_equal(got, wanted)
        else:
            np.testing.assert_allclose(got.astype(np.float64), wanted.astype(np.float64), rtol=rtol, atol=atol)


def report(outcomes: list[Outcome]) -> str:
    """The table in Markdown: totals of the core and the wider set, a row per operator, the failures with their reasons."""
    lines = [
        "# ONNX node tests",
        "",
        "Written by `python -m edgeopt.conformance.coverage`. *Native* means that no node ran on the host.",
        "",
    ]
    lines += ["| set | tests | passed | of them native |", "|---|---|---|---|"]
    groups = {"core operators of edge networks": set(CORE), "wider vision set": {*CORE, *VISION}, "all": {o.op for o in outcomes}}
    for label, ops in groups.items():
        lines.append(f"| {label} ({len(ops)}) | {_counts([o for o in outcomes if o.op in ops])} |")
    lines += ["", "| operator | tests | passed | of them native |", "|---|---|---|---|"]
    for op in sorted({o.op for o in outcomes}):
        lines.append(f"| {op} | {_counts([o for o in outcomes if o.op == op])} |")
    failures = [f"| {o.name} | {o.reason.replace('|', '/')} |" for o in outcomes if o.status == "failed"]
    return "\n".join([*lines, "", "| failed test | reason |", "|---|---|", *failures]) + "\n"


def _counts(outcomes: list[Outcome]) -> str:
    native = sum(o.status == "native" for o in outcomes)
    return f"{len(outcomes)} | {sum(o.status != 'failed' for o in outcomes)} | {native}"


def main() -> None:
    """Run the tests and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/coverage.md"))
    parser.add_argument("--set", choices=("core", "vision", "all"), default="all")
    arguments = parser.parse_args()
    wanted = {"core": {*CORE}, "vision": {*CORE, *VISION}, "all": None}[arguments.set]
    from rich.progress import track

    cases = [c for c in node_tests() if wanted is None or operator(c) in wanted]
    outcomes = [run_case(case) for case in track(cases, "node tests")]
    arguments.output.write_text(report(outcomes))


if __name__ == "__main__":
    main()
