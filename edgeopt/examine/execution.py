"""Executing a compiled model, in this process or under emulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from edgeopt.ir import Array
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel

Execute = Callable[[Mapping[str, Array]], dict[str, Array]]


@contextmanager
def execution(model: CompiledModel, emulate: bool, threads: int = 1) -> Iterator[Execute]:
    """A function from inputs to outputs; with ``emulate`` it runs the model's C library under qemu."""
    if not emulate:
        yield lambda inputs: model.run(inputs, threads=threads)
        return
    with Emulator(model) as emulator:
        yield emulator.run
