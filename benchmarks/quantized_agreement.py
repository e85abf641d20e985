"""Networks quantised by onnxruntime: do we compute the same integers as onnxruntime without optimizations?

    python -m benchmarks.quantized_agreement --models DIR --data DIR [--only NAME,...] [--samples N] [--layers]

Every quantised tensor is compared on its own: the network is cut there, and what comes after reads onnxruntime's codes, so that
differences do not add up. Then the decisions of the whole network are compared, and with them those of onnxruntime with its own
optimizations, which rounds differently too. A row is one network in one form of quantization.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper

import edgeopt
from benchmarks.networks import data_of, network_arguments, networks
from benchmarks.quantization_peer import Settings, quantize_file
from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.ir import Array

FED = "/fed"  # marks the input that stands for a tensor where the network is cut
CODES = ("int8", "uint8")
CALIBRATION = 100
COLUMNS = (
    "network", "form", "tensors", "codes apart %", "worst tensor %", "worst code",
    "same decision %", "onnxruntime optimized: same decision %", "deviation / range",
)  # fmt: skip


@dataclass
class Tensor:
    """How far the codes of one tensor are from onnxruntime's."""

    name: str
    elements: int = 0
    apart: int = 0
    worst: int = 0

    def add(self, ours: Array, theirs: Array) -> None:
        """Count one sample."""
        distance = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
        self.elements += distance.size
        self.apart += int(np.count_nonzero(distance))
        self.worst = max(self.worst, int(distance.max(initial=0)))


@dataclass
class Agreement:
    """One network: its tensors; decisions of the whole network that equal the reference's, ours and those of onnxruntime with its

    optimizations, of ``samples``; the largest deviation of an output relative to its range.
    """

    tensors: list[Tensor] = field(default_factory=list)
    equal: int = 0
    optimized_equal: int = 0
    samples: int = 0
    deviation: float = 0.0

    @property
    def share(self) -> float:
        """Codes that differ, of all."""
        return sum(t.apart for t in self.tensors) / max(1, sum(t.elements for t in self.tensors))


def session(model: ModelProto, optimized: bool = False) -> Any:
    """onnxruntime, without optimizations as the reference."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def computed(model: ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of ``model`` that a node computes, by onnxruntime."""
    whole = ModelProto()
    whole.CopyFrom(model)
    known = {o.name for o in whole.graph.output}
    names = [o for n in whole.graph.node for o in n.output if o]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    runner = session(whole)
    outputs = [o.name for o in runner.get_outputs()]
    return dict(zip(outputs, runner.run(None, dict(feeds)), strict=True))


def cut(model: ModelProto, values: Mapping[str, Array]) -> tuple[ModelProto, list[str]]:
    """``model`` with every tensor of codes an output, read from an input of its own; and the names of those tensors."""
    made = ModelProto()
    made.CopyFrom(model)
    names = [name for name, array in values.items() if array.dtype.name in CODES]
    for node in made.graph.node:
        node.input[:] = [name + FED if name in names else name for name in node.input]
    del made.graph.output[:]
    del made.graph.value_info[:]
    for name in names:
        kind = helper.np_dtype_to_tensor_dtype(values[name].dtype)
        made.graph.output.append(helper.make_tensor_value_info(name, kind, values[name].shape))
        made.graph.input.append(helper.make_tensor_value_info(name + FED, kind, values[name].shape))
    return made, names


def samples(data: DataSet, count: int) -> Iterator[dict[str, Array]]:
    """The first ``count`` samples, each as a batch of one."""
    for i in range(min(count, len(data))):
        yield {name: array[i : i + 1] for name, array in data.arrays.items()}


def compare(path: Path, data: DataSet, count: int, decisions: int, level: int) -> Agreement:
    """The agreement of one quantised model on ``count`` samples (tensors) and ``decisions`` samples (whole network)."""
    model, found = onnx.load(path), Agreement()
    values = [computed(model, sample) for sample in samples(data, count)]
    cut_model, names = cut(model, values[0])
    ours = edgeopt.compile(cut_model, level=level)
    found.tensors = [Tensor(name) for name in names]
    for sample, theirs in zip(samples(data, count), values, strict=True):
        results = ours.run({**{p.name: sample[p.name] for p in ours.inputs if p.name in sample}, **fed(theirs, names)})
        for tensor in found.tensors:
            tensor.add(results[tensor.name], theirs[tensor.name])
    _decisions(found, model, data, decisions, level)
    return found


def fed(values: Mapping[str, Array], names: list[str]) -> dict[str, Array]:
    """The codes as inputs of the cut model."""
    return {name + FED: values[name] for name in names}


def _decisions(found: Agreement, model: ModelProto, data: DataSet, count: int, level: int) -> None:
    runner, optimized, name = session(model), session(model, True), model.graph.output[0].name
    whole = edgeopt.compile(model, level=level)
    for sample in samples(data, count):
        (theirs,), (other,), ours = runner.run([name], sample), optimized.run([name], sample), whole.run(sample)[name]
        found.equal += int(np.argmax(theirs) == np.argmax(ours))
        found.optimized_equal += int(np.argmax(theirs) == np.argmax(other))
        found.samples += 1
        found.deviation = max(found.deviation, float(np.abs(theirs - ours).max() / (np.ptp(theirs) or 1.0)))


def forms() -> Iterator[Settings]:
    """Every form that onnxruntime writes, and the one a user gets who does not prepare the model."""
    for operators, per_channel, signed in product((False, True), (True, False), (False, True)):
        yield Settings(per_channel, operators, signed)
    yield Settings(prepared=False)


def main() -> None:
    """Print the table."""
    parser = network_arguments(__doc__)
    parser.add_argument("--forms", default="", help="only forms that contain one of these texts, separated by semicolons")
    parser.add_argument("--samples", type=int, default=4, help="samples on which tensors are compared")
    parser.add_argument("--decisions", type=int, default=100, help="samples on which decisions are compared")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--layers", action="store_true", help="name the tensors that differ")
    a = parser.parse_args()
    chosen = [f for f in forms() if any(text in str(f) for text in a.forms.split(";"))]
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for path in networks(a):
        _print_network(path, a.data, chosen, a)


def _print_network(path: Path, folder: Path, chosen: list[Settings], a: argparse.Namespace) -> None:
    calibration, evaluation = data_of(path, folder, load(path))
    for form in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            quantised = Path(scratch) / "quantised.onnx"
            quantize_file(path, quantised, calibration.subset(CALIBRATION), form)
            found = compare(quantised, evaluation, a.samples, a.decisions, a.level)
        shares = [t.apart / t.elements for t in found.tensors if t.elements]
        cells = [path.stem, str(form), str(len(found.tensors)), f"{100 * found.share:.4f}", f"{100 * max(shares, default=0):.3f}"]
        cells += [
            str(max((t.worst for t in found.tensors), default=0)),
            *(f"{100 * n / found.samples:.1f}" for n in (found.equal, found.optimized_equal)),
        ]
        print("| " + " | ".join([*cells, f"{found.deviation:.1e}"]) + " |", flush=True)
        for t in found.tensors if a.layers else []:
            if t.apart:
                print(f"    {t.name}: {t.apart} of {t.elements} apart, at most {t.worst}")


if __name__ == "__main__":
    main()
