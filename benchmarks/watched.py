"""A child process that reports lines of JSON, ended when it takes too much time or memory: a crash, a hang are findings too."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
WAKE = 0.05  # seconds between two looks
PATIENCE = 6.0  # wall seconds for one of processor time, for a busy machine
Line = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """``seconds`` of processor time between two lines, ``growth`` of resident bytes after the first line."""

    seconds: float = 10.0
    growth: int = 2 << 30


def watch(command: Sequence[str], limits: Limits, take: Callable[[Line], None]) -> str:
    """Run ``command`` and hand each line of its stdout to ``take``; '' when it ends well, else how it ended.

    The first line must come when everything is imported: limits count from there. stderr is dropped.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as child:
        try:
            end = _follow(child, limits, take)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    return end


def _follow(child: subprocess.Popen[bytes], limits: Limits, take: Callable[[Line], None]) -> str:
    assert child.stdout is not None
    stream, rest, started = child.stdout.fileno(), b"", False
    since, clock, base = 0.0, time.monotonic(), 0
    while True:
        if select.select([stream], [], [], WAKE)[0]:
            data = os.read(stream, 1 << 16)
            if not data:
                return _ended(child.wait())
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                take(json.loads(line))
            if lines:
                base = base if started else _peak(child.pid)
                started, since, clock = True, _processor(child.pid), time.monotonic()
        allowed = limits.seconds if started else 6 * limits.seconds
        if _processor(child.pid) - since > allowed or time.monotonic() - clock > PATIENCE * allowed:
            return f"HANG: more than {limits.seconds:g} s"
        if started and _peak(child.pid) - base > limits.growth:
            return f"MEMORY: more than {limits.growth >> 20} MB"


def _ended(code: int) -> str:
    if code < 0:
        return f"CRASH: {signal.Signals(-code).name}"
    return f"CRASH: exit code {code}" if code else ""


def _processor(pid: int) -> float:
    """Seconds of processor time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(f) for f in fields[11:15]) / TICKS


def _peak(pid: int) -> int:
    """Most resident bytes a process ever had."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)
