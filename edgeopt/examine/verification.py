"""Does a compiled model give the numbers of the original?"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeopt import arguments, npz
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import refuse_nan, whole_batches
from edgeopt.examine.approximation import Kept, approximation, inside, measured, recorded
from edgeopt.examine.difference import Difference, compare
from edgeopt.examine.execution import Execute, execution
from edgeopt.examine.originals import ORIGINALS, Runner, original_runner
from edgeopt.examine.raw_inputs import on_raw_inputs
from edgeopt.examine.rounding_apart import rounding_apart
from edgeopt.examine.samples import index_limits, random_inputs, read_test_data
from edgeopt.examine.tolerance import TOLERANCE
from edgeopt.ir import Array, TensorType
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count

Sample = dict[str, Array]


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found: the ``engine`` that ran what is compared with, and one Difference per output.

    ``against`` is ``original``, or ``inside``: the model in an artifact with approximate layers, whose numbers its code must
    give, up to what rounding to codes moves (``examine.rounding_apart``). Of one of these ``drop`` percentage points are lost
    against the original, of ``max_drop`` that may be: on the data that were given, else on those that it was compiled with.
    ``tolerance`` is None where nothing was held to it.
    """

    engine: str
    against: str
    tolerance: float | None
    drop: float | None
    max_drop: float | None
    passed: bool
    outputs: tuple[Difference, ...]


def verify(
    original: str | Path,
    compiled: str | Path | CompiledModel,
    *,
    data: str | Path | None = None,
    samples: int = 4,
    seed: int = 0,
    tolerance: float | None = None,
    max_drop: float | None = None,
    engine: str | None = None,
    emulate: bool = False,
) -> Verification:
    """Compare the ONNX file ``original`` with the model compiled from it, given as such or by its directory.

    ``data`` is an npz file with one array per input or a folder ``test_data_set_N`` with expected outputs; without it ``samples``
    random inputs are drawn from ``seed``. Samples are run one by one, and all in one call where the model takes several.
    ``tolerance`` is the largest error that passes, as a share of an output's range; left out, it is ``TOLERANCE``, and a model
    with approximate layers is held to its budget instead, or to ``max_drop`` percentage points (``examine.approximation``).
    ``engine`` runs the original: ``onnxruntime`` with its optimizations off, where it is installed, else ``onnx.reference``.
    ``emulate`` runs a model of another processor under qemu.
    Raises EdgeoptError for wrong arguments and files, and a model that one side cannot run.
    """
    arguments.instance("original", original, (str, Path))
    arguments.instance("compiled", compiled, (str, Path, CompiledModel))
    arguments.instance("data", data, (str, Path, type(None)))
    for name, path in (("original", original), ("data", data)):
        arguments.file(name, path)
    arguments.whole("samples", samples, 1)
    arguments.whole("seed", seed, 0)
    for name, value in (("tolerance", tolerance), ("max_drop", max_drop)):
        if value is not None:
            arguments.share(name, value)
    arguments.choice("engine", engine, ORIGINALS, "onnxruntime where it is installed")
    model = compiled if isinstance(compiled, CompiledModel) else load(compiled)
    folder = data is not None and Path(data).is_dir()
    if tolerance is not None or folder or approximation(model.manifest) is None:
        found = _compared(_original(Path(original), model, engine), model, data, samples, seed, emulate)
        return _held(found, "original", TOLERANCE if tolerance is None else tolerance)
    if data is not None:
        found = _compared(_original(Path(original), model, engine), model, data, samples, seed, emulate)
        return _within(found, measured(Path(original), model, Path(data), max_drop, engine, emulate))
    return _as_recorded(Path(original), model, samples, seed, engine, emulate, max_drop)


Compared = tuple[str, tuple[Difference, ...]]  # the engine, and a row for each output


def _held(found: Compared, against: str, tolerance: float) -> Verification:
    """The numbers are held to ``tolerance``."""
    engine, rows = found
    return Verification(engine, against, tolerance, None, None, all(row.error <= tolerance for row in rows), rows)


def _within(found: Compared, kept: Kept) -> Verification:
    """The loss is held to its budget, the numbers to nothing."""
    engine, rows = found
    return Verification(engine, "original", None, kept.drop, kept.max_drop, kept.passed, rows)


def _as_recorded(
    original: Path, model: CompiledModel, samples: int, seed: int, engine: str | None, emulate: bool, max_drop: float | None
) -> Verification:
    """Without data: the loss is what was measured once, and the code gives the numbers of the model that it was measured for."""
    kept = recorded(original, model, max_drop)
    with tempfile.TemporaryDirectory(prefix="edgeopt-verify-") as folder:
        made = inside(model, Path(folder))
        if made is None:
            raise EdgeoptError("the model was compiled without model.onnx (--no-onnx); give --input with samples to compare")
        found = _held(_compared(original_runner(made, engine), model, None, samples, seed, emulate), "inside", TOLERANCE)
        if not found.passed:
            found = _held((found.engine, found.outputs), "inside", max(TOLERANCE, _apart(made, model, samples, seed, engine)))
    return replace(found, drop=kept.drop, max_drop=kept.max_drop, passed=found.passed and kept.passed)


def _apart(path: Path, model: CompiledModel, samples: int, seed: int, engine: str | None) -> float:
    """What the approximate model at ``path`` may differ by between two engines, on the samples that were compared."""
    inputs, expected = _samples(model, original_runner(path, engine)[1], None, samples, seed)
    return rounding_apart(path, lambda variant: original_runner(variant, engine)[1], inputs, expected)


def _original(path: Path, model: CompiledModel, engine: str | None) -> tuple[str, Runner]:
    """The engine, and what runs the original on what the compiled model takes."""
    name, runner = original_runner(path, engine)
    return name, on_raw_inputs(runner, model.manifest)


def _compared(
    original: tuple[str, Runner], model: CompiledModel, data: str | Path | None, samples: int, seed: int, emulate: bool
) -> Compared:
    name, runner = original
    with execution(model, emulate) as execute:
        inputs, expected = _samples(model, runner, data, samples, seed)
        actual = [execute(sample) for sample in inputs]
        together = _in_one_call(model, execute, inputs)
    return name, tuple(compare([*expected, *expected[: len(together)]], [*actual, *together]))


def _in_one_call(model: CompiledModel, execute: Execute, inputs: list[Sample]) -> list[Sample]:
    """The outputs of all samples when one call gets them, as ``edgeopt run`` does; none where the model takes one at a time."""
    if len(inputs) < 2 or not all(port.placed and port.shape for port in (*model.inputs, *model.outputs)):
        return []
    everything = {name: np.concatenate([sample[name] for sample in inputs]) for name in inputs[0]}
    try:
        sample_count(checked(everything, model.inputs), model.inputs, model.outputs)
    except EdgeoptError:
        return []
    parts = {name: np.split(array, len(inputs)) for name, array in execute(everything).items()}
    return [{name: parts[name][k] for name in parts} for k in range(len(inputs))]


def _samples(
    model: CompiledModel, runner: Runner, data: str | Path | None, samples: int, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Inputs and expected outputs, one mapping per sample."""
    about = model.manifest["inputs"]
    names = [i["name"] for i in about]
    if data is not None and Path(data).is_dir():
        inputs, expected = read_test_data(Path(data), names, [o["name"] for o in model.manifest["outputs"]])
        return [inputs], [expected]
    types = {i["name"]: TensorType(i["dtype"], tuple(i["shape"])) for i in about}
    if data is None:
        given = random_inputs(types, samples, seed, index_limits(model))
    else:
        given = _batches(model, _read(Path(data), names))
    return given, [runner(sample) for sample in given]


def _read(path: Path, names: list[str]) -> Sample:
    """The arrays of a file. Raises EdgeoptError for NaN, which both sides would agree on."""
    found = npz.read(path, names)
    for name, array in found.items():
        refuse_nan(array, f"array '{name}' of '{path}'")
    return found


def _batches(model: CompiledModel, inputs: Sample) -> list[Sample]:
    """``inputs`` cut along the leading axis into pieces of the compiled shapes, which the original takes whatever its batch.

    The first samples are repeated to fill the last one.
    """
    inputs = _filled(model, inputs)
    count = sample_count(checked(inputs, model.inputs), model.inputs, model.outputs)
    pieces = {name: np.split(array, count) if count > 1 else [array] for name, array in inputs.items()}
    return [{name: pieces[name][k] for name in inputs} for k in range(count)]


def _filled(model: CompiledModel, inputs: Sample) -> Sample:
    """``inputs`` with as many samples as whole batches have, where all have equally many, and each call takes equally many."""
    batches = {port.shape[0] for port in model.inputs if port.placed and port.shape}
    counts = {len(array) if array.ndim else 0 for array in inputs.values()}
    if len(batches) != 1 or len(counts) != 1 or 0 in batches | counts:
        return inputs
    (batch,), (count,) = batches, counts
    index = whole_batches(count, batch)
    return inputs if len(index) == count else {name: array[index] for name, array in inputs.items()}
