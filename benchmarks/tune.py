"""What training reaches, and how long it takes.

    python -m benchmarks.tune --models DIR --data DIR [--only NAME,...] [--ways WAY,...] [--seed S] [--json FILE]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.train.npz to train on (a tenth is held out) and NAME.eval.npz, which
is for the figures alone (one array per input, ``labels``). Bytes are those of weights.bin, which is decoded and compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import edgeopt
from benchmarks.networks import network_arguments, networks, reported
from edgeopt.runtime.model import CompiledModel

PRUNE = """epochs = {epochs}
batch = {batch}
[[phase]]
kind = "prune"
keep = {keep}
pattern = "{pattern}"
share = 0.85
"""
SHARE = """[[phase]]
kind = "share"
share = 0.15
bits = {bits}
"""
QUANTIZE = """epochs = {epochs}
batch = 64
{ends}
[forms]
"*" = "{form}"
[[phase]]
kind = "quantize"
"""


@dataclass(frozen=True)
class Way:
    """A recipe for one network."""

    network: str
    name: str
    recipe: str


def deep(network: str, keep: float, bits: str, epochs: int, batch: int = 128) -> Way:
    """Pruned and shared."""
    text = PRUNE.format(epochs=epochs, batch=batch, keep=keep, pattern="unstructured") + SHARE.format(bits=bits)
    return Way(network, f"deep-compression, {100 * keep:g} %", text)


def pruned(network: str, pattern: str, keep: float, epochs: int) -> Way:
    """Pruned alone."""
    return Way(network, f"{pattern}, {100 * keep:g} %", PRUNE.format(epochs=epochs, batch=64, keep=keep, pattern=pattern))


def quantized(network: str, form: str, epochs: int, ends: str = "w8a8") -> Way:
    """Quantized; the ends in eight bits."""
    return Way(network, form, QUANTIZE.format(form=form, epochs=epochs, ends=f'ends = "{ends}"'))


LENET300, LENET5, RESNET20 = "lenet300_100_mnist", "lenet5_mnist", "resnet20_cifar10"
WAYS = (
    deep(LENET300, 0.03, "5", 80),
    deep(LENET300, 0.018, "5", 80),
    deep(LENET5, 0.02, '{"*conv*" = 5, "*Conv*" = 5, "*" = 4}', 20),
    deep(LENET5, 0.01, '{"*conv*" = 5, "*Conv*" = 5, "*" = 4}', 20),
    quantized(RESNET20, "w4a4", 6),
    pruned(RESNET20, "unstructured", 0.1, 12),
    pruned(RESNET20, "16x4", 0.25, 12),
    quantized("mlperf_ic_resnet8_cifar10", "w4a4", 6),
    quantized("mlperf_kws_dscnn", "w4a8", 20),
)


@dataclass(frozen=True)
class Row:
    """Percent right before and after by compiled code, bytes of the weights as stored, seconds of all the work."""

    network: str
    way: str
    before: float
    after: float
    bytes: int
    seconds: float


def trained(way: Way, model: Path, data: Path, seed: int) -> Row:
    """One way, from the model file to the artifact on disk, which is read again."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(way.recipe)
        train, evaluation = (data / f"{way.network}.{part}.npz" for part in ("train", "eval"))
        made = edgeopt.tune(model, train, recipe, data=evaluation, seed=seed)
        made.save(Path(folder) / "made")
        seconds, size = time.perf_counter() - started, (Path(folder) / "made" / "weights.bin").stat().st_size
        _require_same(made, edgeopt.load(Path(folder) / "made"))
    found = made.manifest["quantization"]
    return Row(way.network, way.name, found["before"], found["after"], size, seconds)


def _require_same(made: CompiledModel, loaded: CompiledModel) -> None:
    if bytes(made.weights) != bytes(loaded.weights):
        raise SystemExit("the weights on disk are not those that were trained")


def rows(given_ways: list[str], models: dict[str, Path], data: Path, seed: int) -> Iterator[Row]:
    """Every way of every network that is there."""
    for way in WAYS:
        if way.network in models and (not given_ways or way.name in given_ways):
            yield trained(way, models[way.network], data, seed)


def markdown(found: list[Row]) -> str:
    """One line per row."""
    lines = ["| network | way | % right | after | weights.bin | s |", "|---|---|---|---|---|---|"]
    return "\n".join(
        lines + [f"| {r.network} | {r.way} | {r.before:.2f} | {r.after:.2f} | {r.bytes:,} | {r.seconds:.0f} |" for r in found]
    )


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--ways", default="", help="names of ways as the table has them, separated by semicolons")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    models = {path.stem: path for path in networks(given)}
    ways = [way for way in given.ways.split(";") if way]
    reported(rows(ways, models, given.data, given.seed), markdown, given.json)


if __name__ == "__main__":
    main()
