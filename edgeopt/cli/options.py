"""Options that several commands share, and the parsing of their values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeopt.cli.log import log_to_stderr
from edgeopt.cli.mode import mode

Command = TypeVar("Command", bound=Callable[..., Any])
EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MODEL = click.Path(exists=True, path_type=Path)  # an ONNX file; what else it may be, its reader says


class _Artifact(click.Path):
    """The directory of a compiled model; what is none says how to make one of it."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if str(value).endswith(".onnx") and Path(value).is_file():
            self.fail(f"'{value}' is an ONNX file; compile it first: edgeopt compile {value} -o DIR", param, ctx)
        return super().convert(value, param, ctx)


EXISTING_DIRECTORY = _Artifact(exists=True, file_okay=False, path_type=Path)
NEW = click.Path(path_type=Path)


class Real(click.FloatRange):
    """Finite numbers in a range: what is no number is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"'{value}' is no finite number", param, ctx)
        return number


class Points(Real):
    """Percentage points, with or without the sign."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(value.removesuffix("%") if isinstance(value, str) else value, param, ctx)


DATA = "Evaluation data: one array per input, leading axis = samples, optional 'labels'."


def parse_shapes(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``("image=1,3,224,224", ...)`` as {"image": (1, 3, 224, 224)}; wrong text is a usage error."""
    shapes = {}
    for text in values:
        name, equals, dims = text.rpartition("=")
        sizes = [d.strip() for d in dims.split(",") if d.strip()]
        if not equals or not name or not all(d.isdigit() for d in sizes):
            raise click.BadParameter(f"'{text}' does not read NAME=1,3,224,224", ctx, parameter)
        shapes[name] = tuple(int(d) for d in sizes)
    return shapes


def parse_names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """``"a,b"`` as ("a", "b"), nothing as ()."""
    return tuple(name.strip() for name in (value or "").split(",") if name.strip())


def level(command: Command) -> Command:
    """``-O0`` to ``-O3``."""
    text = "Optimization: 0 lowers only, 1 rewrites exactly; 'edgeopt passes' says what 2 and 3 add."
    return click.option("-O", "level", type=click.IntRange(0, 3), default=1, show_default=True, help=text)(command)


def no_onnx(command: Command) -> Command:
    """``--no-onnx``."""
    return click.option("--no-onnx", is_flag=True, help="Leave model.onnx out of the artifact.")(command)


def backend(command: Command) -> Command:
    """``--backend``."""
    text = "Who writes the code of the result; tvm, which writes its kernels in TIR, needs pip install 'edgeopt[tvm]'."
    return click.option("--backend", type=click.Choice(["numba", "tvm"]), default="numba", show_default=True, help=text)(command)


def shapes(command: Command) -> Command:
    """``--shape NAME=1,3,224,224``, several times."""
    text = "Bind the dimensions of an input. May be given once per input."
    return click.option("--shape", "shapes", multiple=True, callback=parse_shapes, metavar="NAME=1,3,224,224", help=text)(command)


def parse_bindings(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, float | int]:
    """``("sr=16000", ...)`` as {"sr": 16000}; wrong text is a usage error."""
    bound: dict[str, float | int] = {}
    for text in values:
        name, equals, number = text.rpartition("=")
        try:
            bound[name] = int(number) if number.strip().lstrip("+-").isdigit() else float(number)
        except ValueError as error:
            raise click.BadParameter(f"'{text}' does not read NAME=NUMBER", ctx, parameter) from error
        if not equals or not name:
            raise click.BadParameter(f"'{text}' does not read NAME=NUMBER", ctx, parameter)
    return bound


def parse_inputs(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """``("image=uint8,nhwc", ...)`` as {"image": "uint8,nhwc"}; wrong text is a usage error."""
    if not values:
        return {}
    from edgeopt.errors import EdgeoptError
    from edgeopt.frontend.preparation import parse_preparation

    found = {}
    for text in values:
        name, _, how = text.partition("=")
        try:
            parse_preparation(how)
        except EdgeoptError as error:
            raise click.BadParameter(str(error), ctx, parameter) from error
        if not name or not how:
            raise click.BadParameter(f"'{text}' does not read NAME=uint8,nhwc,...", ctx, parameter)
        found[name] = how
    return found


def raw_inputs(command: Command) -> Command:
    """``--input NAME=uint8,nhwc,mean=...``, several times."""
    text = "Make raw pixels the input: their type and layout, mean and scale (or std) by channel or for all, frame=HxW of the "
    text += "buffer, and crop=HxW, which is resized to what the network takes. May be given once per input."
    form = "NAME=uint8,nhwc,mean=M,scale=S"
    return click.option("--input", "inputs", multiple=True, callback=parse_inputs, metavar=form, help=text)(command)


def parse_layers(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """``("a,b", "c")`` as ("a", "b", "c")."""
    return tuple(name for text in values for name in parse_names(ctx, parameter, text))


def keep_float(command: Command) -> Command:
    """``--keep-float A,B``."""
    text = "Layers that stay in float, by the names that 'edgeopt why' shows. May be given several times."
    return click.option("--keep-float", multiple=True, callback=parse_layers, metavar="LAYER[,..]", help=text)(command)


def parse_layer_forms(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """``("conv=w8a16", ...)`` as {"conv": "w8a16"}; wrong text is a usage error."""
    found: dict[str, str] = {}
    for text in values:
        layer, equals, form = text.rpartition("=")
        if not equals or not layer or not form:
            raise click.BadParameter(f"'{text}' does not read LAYER=FORM", ctx, parameter)
        if found.get(layer, form) != form:
            raise click.BadParameter(f"'{layer}' is to become '{found[layer]}' and '{form}'; say one of them", ctx, parameter)
        found[layer] = form
    return found


def layer_forms(command: Command) -> Command:
    """``--form LAYER=w8a16``, several times."""
    text = "The form of one layer where --max-drop allows it, even if it is slower; `edgeopt forms` lists forms. May be repeated."
    return click.option("--form", "layer_forms", multiple=True, callback=parse_layer_forms, metavar="LAYER=w8a16", help=text)(
        command
    )


def bind(command: Command) -> Command:
    """``--bind NAME=NUMBER``, several times."""
    text = "Make an input of one element a constant, as in sr=16000; what depends on it folds. May be given once per input."
    return click.option("--bind", multiple=True, callback=parse_bindings, metavar="NAME=NUMBER", help=text)(command)


def target(command: Command) -> Command:
    """``--target NAME``."""
    text = "Processor to compile for; 'edgeopt targets' lists them."
    return click.option("--target", default="host", show_default=True, metavar="NAME|FILE.toml", help=text)(command)


def parse_memory(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """``"2G"`` as bytes; wrong text is a usage error."""
    from edgeopt.errors import EdgeoptError
    from edgeopt.memory_limit import parse_amount

    try:
        return None if value is None else parse_amount(value)
    except EdgeoptError as error:
        raise click.BadParameter(str(error), ctx, parameter) from error


LEAST_BOUND = 256  # bytes; no network takes less


def parse_bound(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """As ``parse_memory``, of what a model may take: so few bytes that the unit was forgotten are a usage error."""
    amount = parse_memory(ctx, parameter, value)
    if amount is not None and amount < LEAST_BOUND:
        fewer = f"'{value}' is {amount} bytes, less than any model takes; {value}k are kilobytes"
        raise click.BadParameter(fewer, ctx, parameter)
    return amount


def max_memory(command: Command) -> Command:
    """``--max-memory 2G``."""
    text = "Memory that the model may take.  [default: this machine's; less for a small file that unfolds to gigabytes]"
    return click.option("--max-memory", callback=parse_memory, metavar="BYTES|2G", help=text)(command)


def parse_interface(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """``"codes,arena"`` as ("codes", "arena"); other words are a usage error."""
    words = parse_names(ctx, parameter, value)
    if wrong := [word for word in words if word not in ("codes", "arena")]:
        raise click.BadParameter(f"'{wrong[0]}' is none of codes, arena", ctx, parameter)
    return words


def interface(command: Command) -> Command:
    """``--interface codes,arena``."""
    text = "How the C library of a microcontroller takes inputs and gives outputs: as codes with a scale and a zero point where "
    text += "the network converts them (a quantised one also rounds what it computes in float at last), in the "
    text += "arena. [default: floats in the caller's memory]"
    return click.option("--interface", callback=parse_interface, metavar="codes,arena", help=text)(command)


def stream_input(command: Command) -> Command:
    """``--stream-input``."""
    text = "For microcontrollers: take the input by rows, through whose first layers they go at once, so that neither it nor the "
    text += "large first maps lie in RAM as a whole."
    return click.option("--stream-input", is_flag=True, help=text)(command)


def threads(command: Command) -> Command:
    """``--threads N``."""
    return click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads to use.")(command)


def emulate(command: Command) -> Command:
    """``--emulate``."""
    return click.option("--emulate", is_flag=True, help="Run a model compiled for another processor under qemu.")(command)


def data(command: Command) -> Command:
    """``--data FILE.npz``."""
    return click.option("--data", type=EXISTING_FILE, metavar="FILE.npz", help=DATA)(command)


def calibration(command: Command) -> Command:
    """``--calibration FILE.npz``."""
    part = "a seeded quarter of --data, half where exits or codes of a link are fitted; 64 to 512 samples"
    text = f"Calibration data of the same form.  [default: {part}]"
    return click.option("--calibration", type=EXISTING_FILE, metavar="FILE.npz", help=text)(command)


def accept_chance(command: Command) -> Command:
    """``--accept-chance``."""
    text = "Go on although the float model is right on --data no more often than guessing is."
    return click.option("--accept-chance", is_flag=True, help=text)(command)


def key(command: Command) -> Command:
    """``--key PUBLIC.pem``."""
    text = "Refuse the compiled model unless this key signed it (edgeopt sign)."
    return click.option("--key", type=EXISTING_FILE, metavar="PUBLIC.pem", help=text)(command)


def as_json(command: Command) -> Command:
    """``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, also on failure (docs/json.md)."
    )(command)


def quiet_and_verbose(command: Command) -> Command:
    """``-q`` and ``-v``, which every command has."""
    quiet = click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_quieted, help="No progress and no notes.")
    text = "Log on stderr what the library does."
    return quiet(click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_verbose, help=text)(command))


def _quieted(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    mode().quiet |= value


def _verbose(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not mode().verbose:
        mode().verbose = True
        log_to_stderr()
