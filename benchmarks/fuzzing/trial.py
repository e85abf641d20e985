"""One case: compile, run under guard twice, and compare with onnxruntime, and with the interpreter where that does not agree."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

import edgeopt
from benchmarks.case_answers import difference, onnxruntime_outputs
from benchmarks.fuzzing.guarded import Guard, guarded_run
from benchmarks.fuzzing.misfits import Case
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, verify
from edgeopt.pipeline import optimize

Verdict = tuple[str, str]
Outputs = dict[str, Any]
GUARDS = ((True, 0x5A), (False, 0xFF))  # a page behind all memory, then one in front; the bytes found in it differ


def tried(case: Case, oracle: Callable[[], None]) -> Verdict:
    """The verdict on a case; ``oracle`` is called when our own part is over, so that a crash of others is not taken for ours."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            outputs = _ours(case)
        except EdgeoptError as error:
            return _refused(case, str(error), oracle)
        except Exception as error:
            return "TRACEBACK", f"{type(error).__name__}: {error}"
        if isinstance(outputs, str):
            return "FOREIGN", outputs
        if not case.runs:
            return "loaded", ""
        oracle()
        return _compared(case, outputs)


def _ours(case: Case) -> Outputs | str:
    """The outputs, or how two runs on the same inputs differed: by bytes that do not belong to the model."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(case.model)
        file.flush()
        if not case.runs:
            return _optimized(file.name)
        model = edgeopt.compile(file.name)
    first, second = (guarded_run(model, case.inputs, Guard(high, fill)) for high, fill in GUARDS)
    for name, array in first.items():
        if isinstance(array, np.ndarray) and array.dtype != object and not _same(array, second[name]):
            return f"output '{name}' depends on memory that is not the model's"
    return first


def _optimized(path: str) -> Outputs:
    """Load, optimise, verify and export; there are no outputs."""
    graph = load(path)
    optimize(graph, 1)
    verify(graph)
    export(graph)
    return {}


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _refused(case: Case, message: str, oracle: Callable[[], None]) -> Verdict:
    if not message.strip():
        return "TRACEBACK", "an error without a message"
    if not case.valid:
        return "refused", message
    oracle()
    try:
        onnxruntime_outputs(case.model, case.inputs)
    except Exception:
        return "refused", message
    return "refused though valid", message


def _compared(case: Case, outputs: Outputs) -> Verdict:
    if _tables_lose(case) or _divides_by_zero(case):
        return "ran", "no other answer is the same: tables of bytes do not hold all products, or a scale is zero"
    answers = _answers(case, not (_odd_numbers(case) and any(a.dtype.kind in "iu" for a in _arrays(outputs).values())))
    wrong = [difference(_arrays(answer), outputs) for answer in answers]
    if "" not in wrong and _padding_counts(case):
        wrong = [difference(*_finite(_arrays(answer), _arrays(outputs))) for answer in answers]
    if not wrong:
        return "unfounded", "neither onnxruntime nor the interpreter has an answer"
    return ("right", "") if "" in wrong else ("DIFFERENT", wrong[0])


def _tables_lose(case: Case) -> bool:
    """Whether the tables of a look-up product round its inner products, or cut them off."""
    graph = ModelProto.FromString(case.model).graph
    arrays = {**case.inputs, **{tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}}
    node = graph.node[0]
    if not node.op_type.startswith("Lookup"):
        return False
    x, zero, books = (arrays.get(node.input[i], np.zeros(1)).astype(np.float64) for i in (0, 2, 4))
    most = np.abs(x - zero).max(initial=0.0) * np.abs(books).sum(axis=-1).max(initial=0.0)
    return bool(most > 127 or any(a.name == "shift" and a.i for a in node.attribute))


def _divides_by_zero(case: Case) -> bool:
    """Whether a scale of codes that is given at run time is zero: what NaN is as an integer is not defined."""
    quantizes = "Quant" in ModelProto.FromString(case.model).graph.node[0].op_type
    return quantizes and any(a.dtype.kind == "f" and a.ndim == 0 and not a.any() for a in case.inputs.values())


def _arrays(outputs: Mapping[str, Any]) -> dict[str, Array]:
    return {name: a for name, a in outputs.items() if isinstance(a, np.ndarray) and a.dtype != object}


def _padding_counts(case: Case) -> bool:
    """Whether a window may lay an infinite weight on padding: zero times it is NaN for some engines, nothing for others."""
    return any("Conv" in node.op_type for node in ModelProto.FromString(case.model).graph.node) and _odd_numbers(case)


def _odd_numbers(case: Case) -> bool:
    """Whether an operand holds infinities or NaN."""
    graph = ModelProto.FromString(case.model).graph
    arrays = [*case.inputs.values(), *(numpy_helper.to_array(tensor) for tensor in graph.initializer)]
    return any(a.dtype.kind == "f" and not np.isfinite(a).all() for a in arrays)


def _finite(wanted: dict[str, Array], got: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Both with zeros wherever one of them is not finite."""
    same = [n for n in wanted if n in got and wanted[n].shape == got[n].shape and wanted[n].dtype.kind == "f"]
    both = {n: np.isfinite(wanted[n]) & np.isfinite(got[n]) for n in same}
    return (
        {**wanted, **{n: np.where(both[n], wanted[n], 0) for n in same}},
        {**got, **{n: np.where(both[n], got[n], 0) for n in same}},
    )


def _answers(case: Case, interpreter: bool) -> list[Outputs]:
    """What others say; numpy does not define what the interpreter would make of infinities and NaN among integers."""
    found: list[Outputs] = []
    for answer in (lambda: onnxruntime_outputs(case.model, case.inputs), lambda: _interpreted(case))[: 1 + interpreter]:
        try:
            found.append(answer())
        except Exception:  # whatever others raise: then they have no answer
            continue
    return found


def _interpreted(case: Case) -> Outputs:
    return interpret(load(ModelProto.FromString(case.model)), case.inputs)
