"""Networks of microcontrollers on emulated boards: instructions for a multiply-accumulate, bytes, codes of this machine.

    python -m benchmarks.mcu [--only kws,resnet8] [--targets cortex-m4,rv32imc] [--float] [--stream]

Instructions are those of two inferences minus those of one, functions of libm and libgcc included; no cycles. Flash and RAM are
those of the printed budget, and beside each what the linked program takes: its sections less those of a program that computes
nothing, and the stack that an inference was seen to use. Inputs are bytes of a camera where they are images, else codes; they
and the outputs lie in the arena, except with --float; with --stream inputs come in row by row and are not there. Networks from
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
from edgeopt.codegen.elf import Elf
from edgeopt.codegen.toolchain import archive, bare_flags, compiler
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, generated
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.lower.ports import Interface
from edgeopt.ops.macs import macs
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.firmware import build, streamed_rows
from edgeopt.runtime.interface import to_codes
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.writing import FileForm
from edgeopt.target import host, target

FILES = {"kws": "mlperf_kws_dscnn", "resnet8": "mlperf_ic_resnet8_cifar10", "lenet5": "lenet5_mnist"}
MADE = {"vww-like": person_detection, "ad01-like": autoencoder}
TARGETS = "cortex-m4,cortex-m7,cortex-m33,cortex-m55,rv32imc"
CAMERA = "uint8,nhwc,mean=128,scale=0.0078125"
RAW = FileForm(coded=False, onnx=False)
EMPTY = (
    "int network_init(const void *file, size_t bytes, void *weights) { return !file + !bytes + !weights; }",
    "int network_run(const void *const *in, void *const *out, void *arena, const void *w) { return !in + !out + !arena + !w; }",
)


STREAMED = (
    "int network_stream_begin(void *arena) { return !arena; }",
    "int network_stream_rows(const void *r, size_t n, size_t d, void *a, const void *w) { return !r + !n + !d + !a + !w; }",
    "int network_stream_end(void *const *out, void *a, const void *w) { return !out + !a + !w; }",
)


def models(only: str | None) -> Iterator[tuple[str, ModelProto | Path]]:
    """The networks by name."""
    root = os.environ.get("EDGEOPT_MODELS")
    known: dict[str, ModelProto | Path] = {n: Path(root) / "models" / f"{f}.onnx" for n, f in FILES.items()} if root else {}
    known |= {name: make() for name, make in MADE.items()}
    return ((name, model) for name, model in known.items() if only is None or name in only.split(","))


def quantised(model: ModelProto | Path, floats: bool, rows: bool = False) -> tuple[Graph, Interface]:
    """The optimised graph, in integers unless ``floats``, and how its inputs and outputs lie."""
    if floats:
        return _compiled(model, None, edgeopt.Options()), Interface()
    inputs, data = pixels(load(model))
    return _compiled(model, data, edgeopt.Options(quantize="w8a8", inputs=inputs)), Interface(codes=True, arena=True, rows=rows)


def _compiled(model: ModelProto | Path, data: DataSet | None, options: edgeopt.Options) -> Graph:
    made = edgeopt.compile(model, 2, target("cortex-m4"), calibration=data, options=options)
    assert made.graph is not None
    return made.graph


def pixels(graph: Graph, count: int = 8) -> tuple[dict[str, str], DataSet]:
    """What a camera gives for inputs of three channels, and samples for all inputs."""
    made, forms = generated(graph, count).arrays, {}
    for name, array in made.items():
        if array.ndim == 4 and array.shape[1] == 3:
            forms[name] = CAMERA
            made[name] = np.clip(128 + 40 * array, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return forms, DataSet(made)


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


def row(graph: Graph, interface: Interface, name: str, counter: Path) -> str:
    """A line of the table for one target."""
    model = assemble(clone(graph), target(name), 2, symbol="network", library=True, form=RAW, interface=interface)
    inputs = samples(graph)
    right = assemble(clone(graph), host(), 2).run(inputs)
    with Emulator(model) as emulator:
        made = emulator.run(inputs)
        first = to_codes({name: array[:1] for name, array in inputs.items()}, model.manifest)
        executed = counted(emulator, b"".join(array.tobytes() for array in first.values()), counter)
        takes = linked(model, emulator)
    work = sum(macs(node) or 0 for node in graph.nodes)
    apart = max(float(np.abs(made[k].astype(np.float64) - right[k]).max()) for k in right)
    return f"{executed:>12,} {executed / work:>7.3f} {sizes(model, takes)} {apart:>9.1e}"


def samples(graph: Graph) -> dict[str, Array]:
    """Three samples: noise, or any codes."""
    rng, made = np.random.default_rng(7), generated(graph, 3, seed=7).arrays
    limits = {name: np.iinfo(array.dtype) for name, array in made.items() if array.dtype.kind in "iu"}
    codes = {name: rng.integers(at.min, at.max + 1, made[name].shape).astype(at.dtype) for name, at in limits.items()}
    return {**made, **codes}


def linked(model: CompiledModel, emulator: Emulator) -> tuple[int, int]:
    """(flash, RAM) of the program, less what a program with an empty network has in flash."""
    stack = int(np.fromfile(emulator.folder / "stack.bin", np.uint32)[0])
    flash, ram = _sections(emulator.folder / "program.elf")
    return flash - _sections(_empty(model, emulator))[0], ram + stack


def _sections(program: Path) -> tuple[int, int]:
    found = {name: len(content) for name, content in Elf(program.read_bytes()).sections().items()}
    data = found.get(".data", 0)
    return found[".text"] + data, data + found.get(".bss", 0)


def _empty(model: CompiledModel, emulator: Emulator) -> Path:
    """The same program with a network that computes nothing and has no weights."""
    folder, facts = emulator.folder / "empty", emulator.target
    folder.mkdir()
    lines = (*EMPTY, *STREAMED) if streamed_rows(model.manifest) else EMPTY
    (folder / "empty.c").write_text('#include "network.h"\n' + "".join(f"{line}\n" for line in lines))
    for name in ("network.h", "model.h"):
        (folder / name).write_bytes(model.files[name])
    command = [*(compiler(facts) or []), *bare_flags(facts), "-O2", "-c", "empty.c", "-o", "empty.o"]
    subprocess.run(command, cwd=folder, check=True)
    code = archive("empty.o", (folder / "empty.o").read_bytes(), [line.split("(")[0].removeprefix("int ") for line in lines])
    return build({**model.files, "libmodel.a": code, "weights.bin": b""}, model.manifest, facts, folder)


def sizes(model: CompiledModel, takes: tuple[int, int]) -> str:
    """Bytes of flash and RAM, as printed and as linked."""
    note = next(line for line in model.manifest["notes"] if line.startswith("flash"))
    flash, ram = (int(note.split(f"{word} ")[1].split()[0].replace(",", "")) for word in ("flash", "RAM"))
    return f"{flash:>9,} {takes[0]:>9,} {ram:>9,} {takes[1]:>9,}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only")
    parser.add_argument("--targets", default=TARGETS)
    parser.add_argument("--float", action="store_true", dest="floats")
    parser.add_argument("--stream", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    heads = (("/MAC", 7), ("flash", 9), ("linked", 9), ("RAM", 9), ("linked", 9), ("apart", 9))
    print(f"{'network':10} {'target':12} {'instructions':>12}", *(f"{head:>{width}}" for head, width in heads))
    with tempfile.TemporaryDirectory() as folder:
        counter = plugin(Path(folder))
        for name, model in models(given.only):
            graph, interface = quantised(model, given.floats, given.stream)
            for where in given.targets.split(","):
                try:
                    print(f"{name:10} {where:12} {row(graph, interface, where, counter)}", flush=True)
                except EdgeoptError as error:
                    print(f"{name:10} {where:12} skipped: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
