"""Networks of microcontrollers on emulated boards: instructions for a multiply-accumulate, bytes, codes of this machine.

    python -m benchmarks.mcu [--only kws,resnet8] [--targets cortex-m4,rv32imc] [--float]

Instructions are those of two inferences minus those of one, functions of libm and libgcc included; no cycles. Networks from
``EDGEOPT_MODELS`` are left out where it is not set; two more are made here with random weights, in the shapes of MLPerf Tiny's
person detection and anomaly detection. Activations are calibrated on generated inputs, since only codes are compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnx import ModelProto

import edgeopt
from benchmarks.tiny_networks import autoencoder, person_detection
from edgeopt.assembly import assemble
from edgeopt.codegen.elf import Elf, archived
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import generated
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.macs import macs
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.writing import FileForm
from edgeopt.target import host, target

FILES = {"kws": "mlperf_kws_dscnn", "resnet8": "mlperf_ic_resnet8_cifar10", "lenet5": "lenet5_mnist"}
MADE = {"vww-like": person_detection, "ad01-like": autoencoder}
TARGETS = "cortex-m4,cortex-m7,cortex-m33,cortex-m55,rv32imc"
RAW = FileForm(coded=False, onnx=False)


def models(only: str | None) -> Iterator[tuple[str, ModelProto | Path]]:
    """The networks by name."""
    root = os.environ.get("EDGEOPT_MODELS")
    known: dict[str, ModelProto | Path] = {n: Path(root) / "models" / f"{f}.onnx" for n, f in FILES.items()} if root else {}
    known |= {name: make() for name, make in MADE.items()}
    return ((name, model) for name, model in known.items() if only is None or name in only.split(","))


def quantised(model: ModelProto | Path, floats: bool) -> Graph:
    """The optimised graph, in integers unless ``floats``."""
    options = edgeopt.Options() if floats else edgeopt.Options(quantize="w8a8")
    data = None if floats else generated(load(model), 8)
    made = edgeopt.compile(model, 2, target("cortex-m4"), calibration=data, options=options)
    assert made.graph is not None
    return made.graph


def plugin(folder: Path) -> Path:
    """The plugin that counts, compiled. Raises EdgeoptError without a C compiler."""
    made = folder / "instruction_count.so"
    source = Path(__file__).with_name("instruction_count.c")
    done = subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(source), "-o", str(made)], capture_output=True, check=False)
    if done.returncode:
        raise EdgeoptError(f"the counting plugin cannot be compiled: {done.stderr.decode()[-300:]}")
    return made


def counted(emulator: Emulator, sample: bytes, counter: Path) -> int:
    """Instructions of one inference."""
    found = []
    for count in (1, 2):
        emulator.feed(sample * count, ["-plugin", f"{counter},out=count.txt"])
        found.append(int((emulator.folder / "count.txt").read_text()))
    return found[1] - found[0]


def row(graph: Graph, name: str, counter: Path) -> str:
    """A line of the table for one target."""
    model = assemble(clone(graph), target(name), 2, symbol="network", library=True, form=RAW)
    inputs = generated(graph, 3, seed=7).arrays
    right = assemble(clone(graph), host(), 2).run(inputs)
    with Emulator(model) as emulator:
        made = emulator.run(inputs)
        executed = counted(emulator, b"".join(a[:1].tobytes() for a in inputs.values()), counter)
        stack = int(np.fromfile(emulator.folder / "stack.bin", np.uint32)[0])
    work = sum(macs(node) or 0 for node in graph.nodes)
    apart = max(float(np.abs(made[k].astype(np.float64) - right[k]).max()) for k in right)
    return f"{executed:>12,} {executed / work:>7.3f} {sizes(model)} {stack:>6,} {apart:>9.1e}"


def sizes(model: CompiledModel) -> str:
    """Bytes of code, weights, arena with scratch memory, inputs and outputs."""
    code, about = Elf(archived(model.files["libmodel.a"])).loaded_bytes, model.manifest
    ports = sum(int(np.prod(p["shape"])) * np.dtype(p["dtype"]).itemsize for p in (*about["inputs"], *about["outputs"]))
    return f"{code:>8,} {about['weights_bytes']:>8,} {about['arena_bytes'] + about['scratch_bytes']:>8,} {ports:>7,}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only")
    parser.add_argument("--targets", default=TARGETS)
    parser.add_argument("--float", action="store_true", dest="floats")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    heads = (("/MAC", 7), ("code", 8), ("weights", 8), ("arena", 8), ("ports", 7), ("stack", 6), ("apart", 9))
    print(f"{'network':10} {'target':12} {'instructions':>12}", *(f"{head:>{width}}" for head, width in heads))
    with tempfile.TemporaryDirectory() as folder:
        counter = plugin(Path(folder))
        for name, model in models(given.only):
            graph = quantised(model, given.floats)
            for where in given.targets.split(","):
                try:
                    print(f"{name:10} {where:12} {row(graph, where, counter)}", flush=True)
                except EdgeoptError as error:
                    print(f"{name:10} {where:12} skipped: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
