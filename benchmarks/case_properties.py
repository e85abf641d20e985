"""Cases that ask for a property instead of a number: one cache for two models, the C header, budgets, damaged npz files."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import onnx
from click.testing import CliRunner
from onnx import parser

import edgeopt
from benchmarks.case_answers import difference, generated_inputs, onnxruntime_outputs, read_arrays
from edgeopt.cli.main import main as command
from edgeopt.codegen.toolchain import compiler, invoke
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet, generated
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.options import Options
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target

Verdict = tuple[str, str]
MAX_DROP = 1.0  # percentage points
LEAST_SNR = {"w8": 20.0, "w8a8": 10.0, "fp16": 40.0, "O3": 10.0}  # decibel without data; w1 keeps no number
NPZ_MODEL = "agraph (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu (x) }"


def cache_pair(path: Path) -> Verdict:
    """Every model of the pair, compiled after the other with one cache, is right on three samples."""
    for part in sorted(path.parent.glob(re.sub(r"\d+$", "", path.stem) + "*.onnx")):
        inputs = [generated_inputs(onnx.load(part), k) for k in range(3)]
        wanted = [onnxruntime_outputs(str(part), i) for i in inputs]
        stacked = {name: np.concatenate([i[name] for i in inputs]) for name in inputs[0]}
        got = edgeopt.compile(part).run(stacked)
        wrong = difference({n: np.concatenate([w[n] for w in wanted]) for n in wanted[0]}, got)
        if wrong:
            return "DIFFERENT", f"{part.stem}: {wrong}"
    return "right", ""


def header(path: Path) -> Verdict:
    """The generated header and example compile with all warnings as errors, and the example gives the right numbers."""
    host = target("host")
    model, cc = edgeopt.compile(path, options=Options(emit="c-library")), compiler(host)
    if cc is None:
        raise EdgeoptError("no C compiler is installed")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("model.h", "example.c"):
            (Path(folder) / name).write_bytes(bytes(model.files[name]))
        invoke([*cc, "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "example.c"], Path(folder))
    inputs = generated_inputs(onnx.load(path), 0)
    with Emulator(model) as emulator:
        wrong = difference(onnxruntime_outputs(str(path), inputs), emulator.run(inputs))
    return ("DIFFERENT", wrong) if wrong else ("right", "")


def quantized(path: Path, scheme: str, data: str) -> Verdict:
    """Quantised with or without data: within the budget by our own measure, or finite and close; a refusal is not enough."""
    graph = load(path)
    samples = _samples(graph.inputs[0].type.dims[0] if graph.inputs[0].type else 1, generated(graph, 64))
    given = {"data": samples.take(slice(0, 32)), "calibration": samples.take(slice(32, 64))} if data == "data" else {}
    asked = {"level": 3} if scheme == "O3" else {"options": Options(quantize=scheme)}
    model = edgeopt.compile(path, **asked, **given)  # type: ignore[arg-type]
    part = samples.take(slice(0, 32))
    reference, result = _first(edgeopt.compile(path).run(part.arrays)), _first(model.run(part.arrays))
    if not np.isfinite(result).all():
        return "DIFFERENT", "the outputs are not finite"
    agreement, snr = metrics.agreement(result, reference), metrics.signal_to_noise(reference, result)
    detail = f"{agreement:.0f} % equal decisions, {snr:.0f} dB"
    bad = agreement < 100.0 - MAX_DROP if given else snr < LEAST_SNR.get(scheme, -np.inf)
    return ("DIFFERENT", detail) if bad else ("right", detail)


def _samples(batch: int, data: DataSet) -> DataSet:
    return data if batch else data.take(slice(0, 0))


def _first(outputs: dict[str, Array]) -> Array:
    return next(iter(outputs.values()))


def npz_input(path: Path, folder: Path) -> Verdict:
    """``edgeopt run --input FILE`` of a small model: one message, or what the arrays give."""
    model, output = folder / "npz.edgeopt", folder / f"{path.stem}.result.npz"
    if not model.exists():
        head = '<ir_version: 8, opset_import: ["" : 17]>\n'
        edgeopt.compile(parser.parse_model(head + NPZ_MODEL)).save(model)
    result = CliRunner().invoke(command, ["run", str(model), "--input", str(path), "--output", str(output)])
    if result.exit_code == 0:
        right = {"y": np.maximum(read_arrays(path)["x"], 0)}
        wrong = difference(right, read_arrays(output))
        return ("DIFFERENT", wrong) if wrong else ("right", "")
    if result.exit_code != 1 or "internal error" in result.output or "Traceback" in result.output:
        return "TRACEBACK", result.output
    return "refused", result.output.removeprefix("Error: ")
