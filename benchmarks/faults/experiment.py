"""The experiment: three processes, requests one after the other, and faults at given shares of them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.device import TOLERANCE
from benchmarks.faults.links import Links


@dataclass(frozen=True)
class Answer:
    """One request in ``phase``; ``where`` is empty for one that was lost; ``error`` as a share of the largest output."""

    phase: str
    at: float
    seconds: float
    where: str
    error: float
    reason: str

    @property
    def wrong(self) -> bool:
        """Whether a single machine answers otherwise."""
        return not self.error <= TOLERANCE


class Server:
    """The process that serves one tier, which can be killed, stopped and started again."""

    def __init__(self, links: Links, tier: str, folder: Path, following: Sequence[str]) -> None:
        self._links, self._tier = links, tier
        self._options = ["serve", str(folder / "plan"), "--tier", tier, "--host", links.host(tier), "--insecure"]
        self._options += [part for address in following for part in ("--next", address)]
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port it had before, and wait until it listens."""
        command = [sys.executable, "-m", "edgeopt.cli.main", *self._options, "--port", str(self.port)]
        self.process = subprocess.Popen(self._links.command(self._tier, command), stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        told = ""
        for line in self.process.stderr:
            told += line
            if found := re.search(r":(\d+)/v2", told):
                self.port = int(found[1])
                return
        raise SystemExit(f"the server of '{self._tier}' did not start: {told}")

    def signal(self, number: int) -> None:
        """Send a signal; wait for its end when it kills."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()


def phases(links: Links) -> list[str]:
    """What happens, in order, each for the same number of requests."""
    faults = [name for fault in links.faults for name in (fault, "open")]
    return ["healthy", "killed", "restarted", "open", *faults, "stopped", "continued"]


@contextmanager
def _servers(links: Links, folder: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        cloud = Server(links, "cloud", folder, [])
        stack.callback(lambda: cloud.signal(signal.SIGKILL))
        edge = Server(links, "edge", folder, [links.address("cloud", cloud.port)])
        stack.callback(lambda: edge.signal(signal.SIGKILL))
        yield edge


def run(links: Links, folder: Path, requests: int, deadline: float, pause: float) -> list[Answer]:
    """All answers, of ``requests`` requests with ``pause`` seconds between them."""
    order = phases(links)
    with _servers(links, folder) as edge:
        device = [sys.executable, "-m", "benchmarks.faults.device", str(folder), links.address("edge", edge.port)]
        device += ["--requests", str(requests), "--deadline", str(deadline), "--pause", str(pause)]
        found: list[Answer] = []
        current = -1
        with subprocess.Popen(links.command("device", device), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                due = len(order) * len(found) // requests
                if due != current:
                    current = due
                    _enter(order[current], links, edge)
                found.append(Answer(order[current], **json.loads(line)))
    return found


def _enter(phase: str, links: Links, edge: Server) -> None:
    if phase == "killed":
        edge.signal(signal.SIGKILL)
    elif phase == "restarted":
        edge.start()
    elif phase in ("stopped", "continued"):
        edge.signal(signal.SIGSTOP if phase == "stopped" else signal.SIGCONT)
    elif phase != "healthy":
        links.set(phase)
