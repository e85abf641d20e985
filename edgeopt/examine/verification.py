"""Does a compiled model give the numbers of the original?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeopt import arguments, npz
from edgeopt.errors import EdgeoptError
from edgeopt.examine.difference import Difference, compare
from edgeopt.examine.execution import Execute, execution
from edgeopt.examine.originals import ORIGINALS, Runner, original_runner
from edgeopt.examine.samples import random_inputs, read_test_data
from edgeopt.examine.tolerance import TOLERANCE
from edgeopt.ir import Array, TensorType
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count

Sample = dict[str, Array]


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found: the ``engine`` that ran the original, the ``tolerance``, and one Difference per output."""

    engine: str
    tolerance: float
    passed: bool
    outputs: tuple[Difference, ...]


def verify(
    original: str | Path,
    compiled: str | Path | CompiledModel,
    *,
    data: str | Path | None = None,
    samples: int = 4,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    engine: str | None = None,
    emulate: bool = False,
) -> Verification:
    """Compare the ONNX file ``original`` with the model compiled from it, given as such or by its directory.

    ``data`` is an npz file with one array per input or a folder ``test_data_set_N`` with expected outputs; without it ``samples``
    random inputs are drawn from ``seed``. Samples are run one by one, and all in one call where the model takes several.
    ``tolerance`` is the largest error that passes, as a share of an output's range.
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
    arguments.share("tolerance", tolerance)
    arguments.choice("engine", engine, ORIGINALS, "onnxruntime where it is installed")
    model = compiled if isinstance(compiled, CompiledModel) else load(compiled)
    name, runner = original_runner(Path(original), engine)
    with execution(model, emulate) as execute:
        inputs, expected = _samples(model, runner, data, samples, seed)
        actual = [execute(sample) for sample in inputs]
        together = _in_one_call(model, execute, inputs)
    rows = compare([*expected, *expected[: len(together)]], [*actual, *together])
    return Verification(name, tolerance, all(row.error <= tolerance for row in rows), tuple(rows))


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
    given = random_inputs(types, samples, seed) if data is None else _batches(model, npz.read(Path(data), names))
    return given, [runner(sample) for sample in given]


def _batches(model: CompiledModel, inputs: Sample) -> list[Sample]:
    """``inputs`` cut along the leading axis into pieces of the compiled shapes, which the original takes whatever its batch."""
    count = sample_count(checked(inputs, model.inputs), model.inputs, model.outputs)
    pieces = {name: np.split(array, count) if count > 1 else [array] for name, array in inputs.items()}
    return [{name: pieces[name][k] for name in inputs} for k in range(count)]
