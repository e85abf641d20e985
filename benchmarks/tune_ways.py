"""The trainings that are measured: recipes for networks, and what of the result is of interest."""

from __future__ import annotations

from dataclasses import dataclass

LENET300, LENET5, RESNET20 = "lenet300_100_mnist", "lenet5_mnist", "resnet20_cifar10"
RESNET8, KEYWORDS, MOBILENET = "mlperf_ic_resnet8_cifar10", "mlperf_kws_dscnn", "mobilenet_v1_0.25_224_imagenet"
LABELS_ALONE = "teacher = 0"
FLIPPED = 'augmentation = ["flip", "shift"]'
MIXED = 'augmentation = ["flip", "shift", "mix"]'
HEARD = 'augmentation = ["shift", "noise"]'
LAST = '{"*fc3*" = 5, "*" = 4}'
KNOWN_DROP = 4.0  # points of samples that the network was trained on before, nearly all of which it gets right; see docs/tune.md
CODES = '{"*conv*" = 5, "*Conv*" = 5, "*" = 4}'


@dataclass(frozen=True)
class Way:
    """A recipe for one network. ``dense`` is a form without training that its time is compared with.

    ``teacher`` is another network of the folder, which is followed in place of the network itself.
    """

    network: str
    name: str
    recipe: str
    dense: str = ""
    teacher: str = ""


def recipe(epochs: float, *phases: str, batch: int = 64, more: str = "") -> str:
    """The text of a recipe."""
    return "\n".join([f"epochs = {epochs}", f"batch = {batch}", more, *phases])


def phase(kind: str, **told: object) -> str:
    """A table of a phase."""
    return "\n".join(["[[phase]]", f'kind = "{kind}"', *(f"{key} = {value}" for key, value in told.items())])


def deep(network: str, keep: float, bits: str, epochs: float, teacher: str = "") -> Way:
    """Pruned and shared; what is not said was chosen on held-out training samples."""
    phases = phase("prune", keep=keep, rate=1e-3, share=0.85), phase("share", bits=bits, bias_bits=3, share=0.15)
    name = f"deep-compression, {100 * keep:g} %{', taught' if teacher else ''}"
    return Way(network, name, recipe(epochs, *phases, batch=128), teacher=teacher)


def pruned(network: str, pattern: str, keep: float, epochs: float, more: str = "") -> Way:
    """Pruned alone."""
    told = phase("prune", keep=keep, pattern=f'"{pattern}"')
    return Way(network, f"{pattern}, {100 * keep:g} %", recipe(epochs, told, batch=32, more=more))


def sparse_bytes(network: str, pattern: str, keep: float, epochs: float, more: str = "") -> Way:
    """Pruned in blocks, then quantized, to be timed against its own dense int8."""
    phases = phase("prune", keep=keep, pattern=f'"{pattern}"', share=0.8), phase("quantize", share=0.2)
    text = recipe(epochs, '[forms]\n"*" = "w8a8"', *phases, batch=32, more=more)
    return Way(network, f"{pattern}, {100 * keep:g} %, w8a8", text, dense="w8a8")


def quantized(network: str, form: str, epochs: float, more: str = "", batch: int = 64, rate: float = 1e-3) -> Way:
    """Quantized; the ends in eight bits."""
    forms = f'ends = "w8a8"\n[forms]\n"*" = "{form}"'
    return Way(network, form, recipe(epochs, forms, phase("quantize", rate=rate), batch=batch, more=more))


def left_early(network: str, name: str, epochs: float, max_drop: float, batch: int, more: str = "", **told: object) -> Way:
    """With exits, trained jointly, or fitted to the network as it is where there are no epochs."""
    early = f'exits = "exit-margin"\nmax_drop = {max_drop}\n{more}'
    return Way(network, name, recipe(max(epochs, 1), *([phase("exits", **told)] if epochs else []), batch=batch, more=early))


def student(name: str, epochs: float, more: str = "") -> Way:
    """ResNet-20 with half its channels."""
    return Way(RESNET20, name, recipe(epochs, phase("finetune", rate=1e-3), batch=32, more=f'structure = "channels-50"\n{more}'))


WAYS = (
    deep(LENET300, 0.03, LAST, 110),
    deep(LENET300, 0.019, LAST, 110),
    deep(LENET300, 0.03, LAST, 110, teacher=LENET5),
    deep(LENET300, 0.018, LAST, 110, teacher=LENET5),
    deep(LENET5, 0.0215, CODES, 12),
    deep(LENET5, 0.01, CODES, 12),
    left_early(LENET5, "exits, frozen", 0, 0.5, 128),
    left_early(LENET5, "exits, joint", 2, 0.5, 128, places=1, weight=1.0),
    quantized(RESNET20, "w4a4", 5, batch=32),
    quantized(RESNET20, "w2a8", 12, FLIPPED, batch=32),
    quantized(RESNET20, "ternary", 12, FLIPPED, batch=32),
    quantized(RESNET20, "binary", 12, FLIPPED, batch=32),
    pruned(RESNET20, "unstructured", 0.1, 12, FLIPPED),
    pruned(RESNET20, "16x4", 0.25, 12, FLIPPED),
    sparse_bytes(RESNET20, "16x4", 0.25, 12, FLIPPED),
    left_early(RESNET20, "exits, frozen", 0, 1.0, 64),
    left_early(RESNET20, "exits, joint", 8, KNOWN_DROP, 32, FLIPPED),
    student("half the channels, distilled", 20, MIXED),
    student("half the channels, labels alone", 20, f"{FLIPPED}\n{LABELS_ALONE}"),
    quantized(RESNET8, "w4a4", 12, FLIPPED, batch=32),
    quantized(KEYWORDS, "w4a8", 100, HEARD, batch=20),
    quantized(MOBILENET, "w4a8", 20, 'augmentation = ["flip"]', batch=10, rate=1e-4),
)
