"""The ways a case is tried, one line of JSON each: ``python -m benchmarks.case_ways FILE FOLDER WAY...``.

FOLDER is where onnxruntime's answers to generated inputs are written and found. ``benchmarks.cases`` runs
it as a process of its own, because a way may crash.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import edgeopt
from benchmarks.case_answers import SETS, difference, generated_inputs, onnxruntime_outputs, read_arrays
from benchmarks.case_properties import cache_pair, header, npz_input, quantized
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.pipeline import optimize

Verdict = tuple[str, str]
RANK = 64  # the most dimensions that numpy has
Run = Callable[[dict[str, Any]], dict[str, Any]]


def compiled(path: Path, level: int) -> Run:
    """The model compiled for the host."""
    return edgeopt.compile(path, level=level).run


def exported(path: Path) -> Run:
    """The optimised model, written as portable ONNX and run by onnxruntime."""
    graph = load(path)
    optimize(graph, 1)
    data = export(graph, portable=True).SerializeToString()

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        try:
            return onnxruntime_outputs(data, inputs)
        except Exception as error:  # whatever onnxruntime raises
            raise EdgeoptError(f"onnxruntime does not run the exported model: {error}") from error

    return run


def refused(path: Path) -> Verdict:
    """Compile at the first two levels, which both have to refuse the model; the last message, or what was let pass."""
    message = ""
    for level in (0, 1):
        try:
            edgeopt.compile(path, level=level)
            return "COMPILED", f"at -O{level}"
        except EdgeoptError as error:
            message = str(error)
    return ("right", message) if message else ("TRACEBACK", "an error without a message")


def emulated(path: Path) -> Run:
    """The model compiled for Arm and run under emulation."""
    from edgeopt.runtime.emulate import Emulator

    model = edgeopt.compile(path, level=1, target="arm")

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        with Emulator(model) as emulator:
            return emulator.run(inputs)

    return run


def against_file(run: Run, path: Path) -> Verdict:
    """The outputs of ``run`` against NAME.out.npz; without it, that it ends (what it may answer is not settled)."""
    given, right = path.with_suffix(".in.npz"), path.with_suffix(".out.npz")
    outputs = run(read_arrays(given) if given.exists() else generated_inputs(onnx.load(path), 0))
    if not right.exists():
        return "ran", "no right value is known"
    wrong = difference(read_arrays(right), outputs)
    return ("DIFFERENT", wrong) if wrong else ("right", "")


def answers(path: Path, folder: Path) -> Verdict:
    """Ask onnxruntime for its outputs on the generated inputs, and keep them in ``folder``."""
    model = onnx.load(path)
    for number in range(SETS):
        outputs = onnxruntime_outputs(str(path), generated_inputs(model, number))
        np.savez(folder / f"{path.stem}.{number}.npz", **outputs)  # type: ignore[arg-type]
    return "right", ""


def against_answers(path: Path, folder: Path) -> Verdict:
    """Compile, run on the generated inputs, and compare where onnxruntime has answered."""
    run, compared, refused = compiled(path, 1), 0, ""
    model = onnx.load(path)
    for number in range(SETS if max((len(i.type.tensor_type.shape.dim) for i in model.graph.input), default=0) <= RANK else 0):
        answer = folder / f"{path.stem}.{number}.npz"
        try:
            outputs = run(generated_inputs(model, number))
        except EdgeoptError as error:
            refused = str(error)
            continue
        if answer.exists() and (wrong := difference(read_arrays(answer), outputs)):
            return "DIFFERENT", f"{wrong} (inputs {number})"
        compared += answer.exists()
    if refused and not compared:
        raise EdgeoptError(refused)
    return (
        ("right", f"refused on some inputs: {refused}"[:160] if refused else "") if compared else ("ran", "onnxruntime refuses")
    )


def way_of(name: str, path: Path, folder: Path) -> Verdict:
    """Try one way. Raises whatever the compiler raises."""
    if name in ("O0", "O1", "O2"):
        return against_file(compiled(path, int(name[1])), path)
    more: dict[str, Callable[[], Verdict]] = {
        "export": lambda: against_file(exported(path), path),
        "arm": lambda: against_file(emulated(path), path),
        "answers": lambda: answers(path, folder),
        "run": lambda: against_answers(path, folder),
        "refused": lambda: refused(path),
        "cache": lambda: cache_pair(path),
        "header": lambda: header(path),
        "input": lambda: npz_input(path, folder),
    }
    return more[name]() if name in more else quantized(path, *name.split(" "))


def verdict(name: str, path: Path, folder: Path) -> Verdict:
    """The outcome of one way; an exception that is not an EdgeoptError is a traceback."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return way_of(name, path, folder)
    except EdgeoptError as error:
        return ("refused", str(error)) if str(error).strip() else ("TRACEBACK", "an error without a message")
    except (Exception, SystemExit) as error:
        return "TRACEBACK", f"{type(error).__name__}: {error}"


def say(**line: str) -> None:
    """One line for the watching process."""
    print(json.dumps(line), flush=True)


def main() -> None:
    """Try every way that is asked for, in order."""
    path, folder, *names = sys.argv[1:]
    say(ready=path)
    for name in names:
        result, detail = verdict(name, Path(path), Path(folder))
        say(way=name, verdict=result, detail=" ".join(detail.split()))


if __name__ == "__main__":
    main()
