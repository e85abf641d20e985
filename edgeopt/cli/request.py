"""What a command line asks of a compilation: one field for each argument and option of ``edgeopt compile``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgeopt.search.goal import Objective


@dataclass(frozen=True)
class Request:
    """The arguments and options, and what follows from them."""

    model: Path
    level: int
    target: str
    output: Path | None
    shapes: dict[str, tuple[int, ...]]
    bind: dict[str, float | int]
    inputs: dict[str, str]
    data: Path | None
    calibration: Path | None
    max_drop: float
    quantize: str | None
    forms: str | None
    keep_float: tuple[str, ...]
    layer_forms: dict[str, str]
    objective: Objective
    method: str
    accept_chance: bool
    profile: str | None
    tune: bool
    max_memory: int | None
    max_ram: int | None
    max_flash: int | None
    max_latency: float | None
    max_size: int | None
    max_energy: float | None
    prefer: str | None
    search_time: float | None
    seed: int
    passes: tuple[str, ...]
    stop_after: int | None
    print_after: str | None
    explain: bool
    time_passes: bool
    emit: str | None
    portable: bool
    weights: str | None
    no_onnx: bool
    backend: str
    interface: tuple[str, ...]
    stream_input: bool
    self_test: bool
    train: Path | None

    @property
    def directory(self) -> Path:
        """Where the artifact is written."""
        return self.output or Path(f"{self.model.stem}.edgeopt")

    @property
    def onnx(self) -> bool:
        """True where the optimized model lies in the artifact."""
        return not self.no_onnx

    @property
    def wanted(self) -> str | None:
        """The forms that are wanted in any case."""
        return self.forms if self.forms is not None else self.quantize

    @property
    def approximate(self) -> bool:
        """True where layers may change their form."""
        return self.wanted is not None or self.level >= 3 or bool(self.layer_forms)

    def check(self) -> None:
        """Raises UsageError for options that do not go together."""
        if self.portable and self.emit != "onnx":
            raise click.UsageError("--portable belongs to --emit onnx")
        if self.forms is not None and self.quantize is not None:
            raise click.UsageError("--forms and --quantize say the same in two ways; give one of them")
        if self.profile is not None and self.emit != "onnx":
            raise click.UsageError("--profile belongs to --emit onnx")
        if self.backend != "numba" and self.emit == "onnx":
            raise click.UsageError("--backend writes code, and --emit onnx none")
        if self.train is not None and (self.emit == "onnx" or not self.approximate or self.data is None):
            raise click.UsageError("--train goes with -O3, --quantize or --forms and --data, and not with --emit onnx")
        if self.no_onnx and self.emit == "onnx":
            raise click.UsageError("--no-onnx leaves out of the artifact what --emit onnx writes instead of one")
        code: dict[str, object] = {"--tune": self.tune, "--weights": self.weights}
        code |= {"--max-ram": self.max_ram, "--max-flash": self.max_flash}
        code |= {"--max-latency": self.max_latency, "--max-size": self.max_size, "--max-energy": self.max_energy}
        code |= {"--prefer": self.prefer, "--search-time": self.search_time}
        code |= {"--interface": self.interface, "--stream-input": self.stream_input, "--self-test": self.self_test}
        if self.emit == "onnx" and (given := [name for name, value in code.items() if value]):
            raise click.UsageError(f"{given[0]} is about code, and --emit onnx writes none")
