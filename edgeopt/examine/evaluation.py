"""How often is a model right, and does it stay within a budget?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from edgeopt import arguments
from edgeopt.compiler import compile
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import chance
from edgeopt.evaluate.data import DataSet, admit, read
from edgeopt.evaluate.intervals import drop_interval, share_interval
from edgeopt.evaluate.judge import by_samples, judged
from edgeopt.examine.execution import execution
from edgeopt.examine.interface import interface
from edgeopt.examine.originals import ORIGINALS, original_runner
from edgeopt.examine.raw_inputs import on_raw_inputs
from edgeopt.ir import Array
from edgeopt.progress import each
from edgeopt.runtime.artifact import load
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count

TIMED = 25  # calls of the first batch


@dataclass(frozen=True)
class Share:
    """``percent`` of the samples, with the ends of its interval of confidence of 95 %; None where a number is no count."""

    percent: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Evaluation:
    """What ``eval`` found of a ``model`` on ``samples`` of ``output``.

    ``accuracy`` and that of the model ``against`` it, where there are labels; ``agreement``, the share of equal decisions (or, of
    single numbers, how near they are), where there is one to compare with. ``drop``: percentage points lost, of accuracy or else
    of agreement, of which ``max_drop`` are allowed. ``chance`` is the accuracy in percent that guessing may well reach on these
    labels. ``minimum_ms`` and ``median_ms`` are those of one inference in native code;
    None under emulation.
    """

    model: str
    output: str
    samples: int
    accuracy: Share | None
    against: str | None
    against_accuracy: Share | None
    agreement: Share | None
    drop: Share | None
    max_drop: float | None
    passed: bool
    chance: float | None
    minimum_ms: float | None
    median_ms: float | None


def eval(
    model: str | Path | CompiledModel,
    data: str | Path | DataSet,
    *,
    against: str | Path | CompiledModel | None = None,
    max_drop: float | None = None,
    samples: int | None = None,
    threads: int = 1,
    engine: str | None = None,
    emulate: bool = False,
) -> Evaluation:
    """Run a compiled model (its directory, or an ONNX file, compiled first) on ``data`` and count.

    ``against`` is what it is compared with: an ONNX file, which ``engine`` runs (as ``edgeopt.verify`` does), or another compiled
    model. With ``max_drop`` the result has ``passed`` when no more percentage points are lost against it. ``samples`` bounds
    those that are taken, drawn from all. Raises EdgeoptError for wrong arguments and files, data without labels and nothing to
    compare with, and a model that does not run.
    """
    _check(model, data, against, max_drop, samples, threads, engine)
    made = model if isinstance(model, CompiledModel) else load(model) if Path(model).is_dir() else compile(model)
    graph = interface(made.manifest)
    known = admit(data, graph) if isinstance(data, DataSet) else read(data, graph)
    known = known if samples is None else known.subset(samples)
    if known.labels is None and against is None:
        raise EdgeoptError("the data holds no 'labels', so there is nothing to count; name a model to compare with (--against)")
    output = judged(graph, known)
    result, times = _compiled_outputs(made, known, output, threads, emulate)
    reference = None if against is None else _outputs(against, made, known, output, engine, threads)
    return _counted(made, known, output, result, (against, reference), max_drop, times)


def _check(
    model: object, data: object, against: object, max_drop: object, samples: object, threads: object, engine: object
) -> None:
    arguments.instance("model", model, (str, Path, CompiledModel))
    arguments.instance("data", data, (str, Path, DataSet))
    arguments.instance("against", against, (str, Path, CompiledModel, type(None)))
    for name, path in (("model", model), ("data", data), ("against", against)):
        arguments.file(name, path if isinstance(path, (str, Path)) else None)
    arguments.whole("threads", threads, 1)
    arguments.choice("engine", engine, ORIGINALS, "onnxruntime where it is installed")
    if samples is not None:
        arguments.whole("samples", samples, 1)
    if max_drop is not None:
        arguments.share("max_drop", max_drop)
        if against is None:
            raise EdgeoptError("max_drop counts from another model: name it with against")


def _outputs(
    model: str | Path | CompiledModel, judged: CompiledModel, data: DataSet, output: str, engine: str | None, threads: int
) -> Array:
    """What the model that the ``judged`` one is compared with gives for ``output``."""
    if isinstance(model, CompiledModel) or Path(model).is_dir():
        made = model if isinstance(model, CompiledModel) else load(model)
        return _compiled_outputs(made, data, output, threads, emulate=False)[0]
    runner = on_raw_inputs(original_runner(Path(model), engine)[1], judged.manifest)
    return _calls(lambda feeds: runner(feeds)[output], data)


def _compiled_outputs(model: CompiledModel, data: DataSet, output: str, threads: int, emulate: bool) -> tuple[Array, list[float]]:
    """(the output, seconds of single inferences on the first call; none under emulation)."""
    if output not in {port.name for port in model.outputs}:
        raise EdgeoptError(f"'{model.manifest['model']}' has no output '{output}'; it has {', '.join(map(str, model.outputs))}")
    whole = emulate and _in_one_call(model, data)  # starting an emulator takes longer than most inferences
    with execution(model, emulate, threads) as execute:

        def run(feeds: dict[str, Array]) -> Array:
            return execute(feeds)[output]

        found = by_samples(run(data.arrays), data) if whole else _calls(run, data)
    if emulate:
        return found, []
    clock = Clock(model, _feeds(data, 0), threads)
    return found, [clock() for _ in range(TIMED)]


def _in_one_call(model: CompiledModel, data: DataSet) -> bool:
    """Whether all samples can be stacked along the leading axes of inputs and outputs."""
    try:
        return sample_count(checked(data.arrays, model.inputs), model.inputs, model.outputs) == len(data) > 1
    except EdgeoptError:
        return False


def _calls(run: Callable[[dict[str, Array]], Array], data: DataSet) -> Array:
    return by_samples(np.concatenate([np.atleast_1d(run(_feeds(data, index))) for index in each(range(len(data)))]), data)


def _feeds(data: DataSet, index: int) -> dict[str, Array]:
    return data.take(slice(index, index + 1)).arrays


def _counted(
    model: CompiledModel,
    data: DataSet,
    output: str,
    result: Array,
    compared: tuple[str | Path | CompiledModel | None, Array | None],
    max_drop: float | None,
    times: list[float],
) -> Evaluation:
    against, reference = compared
    labels = data.labels
    accuracy = None if labels is None else _share(metrics.decisions(result) == labels)
    before = None if labels is None or reference is None else _share(metrics.decisions(reference) == labels)
    agreement = None if reference is None else _agreement(result, reference)
    drop = None if reference is None else _drop(result, reference, labels, agreement)
    return Evaluation(
        model=model.manifest["model"],
        output=output,
        samples=len(result),
        accuracy=accuracy,
        against=against.manifest["model"] if isinstance(against, CompiledModel) else None if against is None else str(against),
        against_accuracy=before,
        agreement=agreement,
        drop=drop,
        max_drop=max_drop,
        passed=max_drop is None or (drop is not None and drop.percent <= max_drop),
        chance=None if labels is None else chance(result, labels),
        minimum_ms=1e3 * min(times) if times else None,
        median_ms=1e3 * median(times) if times else None,
    )


def _share(right: Array) -> Share:
    return Share(100.0 * float(np.mean(right)), *share_interval(int(np.sum(right)), len(right)))


def _agreement(result: Array, reference: Array) -> Share:
    if reference[0].size == 1:
        return Share(metrics.closeness(result, reference), None, None)
    made, wanted = metrics.decisions(result), metrics.decisions(reference)
    return _share((made == wanted) & (made >= 0))


def _drop(result: Array, reference: Array, labels: Array | None, agreement: Share | None) -> Share:
    if labels is not None:
        right = metrics.decisions(reference) == labels, metrics.decisions(result) == labels
        return Share(100.0 * float(np.mean(right[0]) - np.mean(right[1])), *drop_interval(*right))
    assert agreement is not None
    ends = (None if agreement.high is None else 100 - agreement.high, None if agreement.low is None else 100 - agreement.low)
    return Share(100.0 - agreement.percent, *ends)
