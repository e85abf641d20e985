"""The number of a loop's turn, and the slices of sequences that belong to it."""

from __future__ import annotations

from typing import Any

from edgeopt.kernels.call import Input, KernelCall, Output
from edgeopt.kernels.emit.intrinsics import offset

RUN = 4096  # elements of a chunk


def start() -> KernelCall:
    """turn = 0: output int64."""
    return KernelCall(_start, (Output(),), label="loop_start")


def advance() -> KernelCall:
    """turn + 1, in place: output int64, which is input 0 too."""
    return KernelCall(_advance, (Input(0), Output()), label="loop_advance")


def take(size: int, count: int, reverse: bool) -> KernelCall:
    """Element ``turn`` of a sequence: inputs the sequence [count, size] and turn; output [size]; ``reverse``: from the end."""
    return KernelCall(_take, (Input(0), Input(1), Output()), (size, *_steps(count, reverse)), -(-size // RUN), label="loop_take")


def put(size: int, count: int, reverse: bool) -> KernelCall:
    """Write element ``turn`` of a sequence: inputs [size] and turn; output the sequence [count, size]."""
    return KernelCall(_put, (Input(0), Input(1), Output()), (size, *_steps(count, reverse)), -(-size // RUN), label="loop_put")


def _steps(count: int, reverse: bool) -> tuple[int, int]:
    return (count - 1, -1) if reverse else (0, 1)


def _start(turn: Any, begin: Any, end: Any) -> None:
    for _ in range(begin, end):
        turn[0] = 0


def _advance(turn: Any, made: Any, begin: Any, end: Any) -> None:
    for _ in range(begin, end):
        made[0] = turn[0] + 1


def _take(source: Any, turn: Any, made: Any, begin: Any, end: Any, size: Any, first: Any, step: Any) -> None:
    here = offset(source, (first + step * turn[0]) * size)
    for i in range(begin * RUN, min(end * RUN, size)):
        made[i] = here[i]


def _put(source: Any, turn: Any, made: Any, begin: Any, end: Any, size: Any, first: Any, step: Any) -> None:
    here = offset(made, (first + step * turn[0]) * size)
    for i in range(begin * RUN, min(end * RUN, size)):
        here[i] = source[i]
