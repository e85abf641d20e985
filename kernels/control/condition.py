"""Conditions of branches and loops, as one byte that a jump reads."""

from __future__ import annotations

from typing import Any

from edgeopt.kernels.call import Input, KernelCall, Output


def test() -> KernelCall:
    """flag = condition: input 0 (bool), output 0 (bool)."""
    return KernelCall(_test, (Input(0), Output()), label="condition")


def another_turn() -> KernelCall:
    """flag = turn < trips and condition: inputs turn, trips (int64) and condition (bool); output bool."""
    return KernelCall(_another_turn, (Input(0), Input(1), Input(2), Output()), label="loop")


def _test(condition: Any, flag: Any, begin: Any, end: Any) -> None:
    for _ in range(begin, end):
        flag[0] = 1 if condition[0] != 0 else 0


def _another_turn(turn: Any, trips: Any, condition: Any, flag: Any, begin: Any, end: Any) -> None:
    for _ in range(begin, end):
        flag[0] = 1 if turn[0] < trips[0] and condition[0] != 0 else 0
