"""Runs cases in forked children, so that a crash or a hang is a verdict on one case and the others go on."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.fuzzing.misfits import Case
from benchmarks.fuzzing.trial import tried

SECONDS = 10.0  # processor time of one case
WALL = 180  # seconds, for a busy machine
ROOM = 6 << 30  # bytes of address space a case may add
TIMEOUTS = (signal.SIGVTALRM, signal.SIGALRM)


@dataclass(frozen=True)
class Outcome:
    """What became of one case; the verdict is in capitals when it must not be."""

    number: int
    verdict: str
    detail: str

    @property
    def wrong(self) -> bool:
        """Whether this must not be."""
        return self.verdict.isupper()


def outcomes(numbers: Sequence[int], draw: Callable[[int], Case]) -> Iterator[Outcome]:
    """The outcome of each number, in order; a child does as many as it survives."""
    left = list(numbers)
    while left:
        for outcome in _forked(left, draw):
            yield outcome
            left.remove(outcome.number)


def _forked(numbers: Sequence[int], draw: Callable[[int], Case]) -> Iterator[Outcome]:
    """Outcomes until the child ends; the last one says how it died, if it did."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(numbers, draw, writing)
    os.close(writing)
    current, ours = numbers[0], True
    with os.fdopen(reading) as lines:
        for line in lines:
            about = json.loads(line)
            if "verdict" in about:
                yield Outcome(**about)
            current, ours = about["number"], about.get("phase", "ours") == "ours"
            done = "verdict" in about
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and not done:
        yield _death(current, ours, os.WTERMSIG(status))


def _death(number: int, ours: bool, code: int) -> Outcome:
    name = signal.Signals(code).name
    if not ours:
        return Outcome(number, "ran", f"the other engine died of {name}")
    return Outcome(number, "HANG" if code in TIMEOUTS else "CRASH", name)


def _child(numbers: Sequence[int], draw: Callable[[int], Case], writing: int) -> None:
    """Never returns. Timers end the process without asking Python, which native code would not do."""
    faulthandler.disable()
    for timeout in TIMEOUTS:
        signal.signal(timeout, signal.SIG_DFL)
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(BaseException):
        for number in numbers:
            _one(number, draw, writing)
    os._exit(0)


def _one(number: int, draw: Callable[[int], Case], writing: int) -> None:
    def say(**about: object) -> None:
        os.write(writing, (json.dumps({"number": number, **about}) + "\n").encode())

    case = draw(number)
    say(phase="ours")
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    signal.alarm(WALL)
    verdict, detail = tried(case, lambda: say(phase="oracle"))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.alarm(0)
    say(verdict=verdict, detail=" ".join(detail.split())[:200])
