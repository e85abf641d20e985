"""The links between three machines: network namespaces with shaped virtual cables, or relays on the loopback interface."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from benchmarks.faults.relay import Relay

FAST, SLOW = 100e6, 1e6  # bits per second of the first link, and when it is throttled
NET = "10.213"  # of the namespaces, which nobody else sees


class Links(Protocol):
    """Where the processes run, and what can happen to the link between device and edge server."""

    faults: Sequence[str]

    def command(self, tier: str, command: Sequence[str]) -> list[str]:
        """``command`` as it runs on the machine of ``tier``."""

    def host(self, tier: str) -> str:
        """The address on which the server of ``tier`` listens."""

    def address(self, tier: str, port: int) -> str:
        """HOST:PORT by which the machine before ``tier`` reaches what listens there on ``port``."""

    def set(self, state: str) -> None:
        """Put the first link into ``state``: one of ``faults``, or 'open'."""

    def close(self) -> None:
        """Take everything away."""


class Namespaces:
    """Three network namespaces in a row, each with a virtual cable to the next; needs root and ``ip``.

    A silent link is one whose far end is down: nothing comes back, not even a refusal. A cut one is down at the near end.
    """

    faults: Sequence[str] = ("throttled", "silent", "cut")

    def __init__(self) -> None:
        self._names = {tier: f"edgeopt-{os.getpid()}-{tier}" for tier in ("device", "edge", "cloud")}
        self._stack = ExitStack()
        for name in self._names.values():
            _ip("netns", "add", name)
            self._stack.callback(_ip, "netns", "del", name)
            self._in(name, "ip", "link", "set", "lo", "up")
        self._cable("device", "edge", 0)
        self._cable("edge", "cloud", 1)
        self.set("open")

    def command(self, tier: str, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self._names[tier], *command]

    def host(self, tier: str) -> str:
        return f"{NET}.{0 if tier == 'edge' else 1}.2"

    def address(self, tier: str, port: int) -> str:
        return f"{self.host(tier)}:{port}"

    def set(self, state: str) -> None:
        rate = SLOW if state == "throttled" else FAST
        for tier, end in (("device", "up0"), ("edge", "down0")):
            shape = f"qdisc replace dev {end} root tbf rate {int(rate)}bit burst 32kb latency 500ms"
            self._in(self._names[tier], "tc", *shape.split())
        self._in(self._names["edge"], "ip", "link", "set", "down0", "down" if state == "silent" else "up")
        self._in(self._names["device"], "ip", "link", "set", "up0", "down" if state == "cut" else "up")

    def close(self) -> None:
        self._stack.close()

    def _cable(self, near: str, far: str, number: int) -> None:
        ends = [(self._names[near], f"up{number}", 1), (self._names[far], f"down{number}", 2)]
        (a, up, _), (b, down, _) = ends
        _ip("link", "add", up, "netns", a, "type", "veth", "peer", "name", down, "netns", b)
        for name, end, last in ends:
            self._in(name, "ip", "address", "add", f"{NET}.{number}.{last}/24", "dev", end)
            self._in(name, "ip", "link", "set", end, "up")

    def _in(self, name: str, *command: str) -> None:
        _ip("netns", "exec", name, *command)


class Loopback:
    """All three on the loopback interface; the edge server is reached through a relay."""

    faults: Sequence[str] = ("throttled", "silent", "cut", "damaging")

    def __init__(self) -> None:
        self._relay: Relay | None = None

    def command(self, tier: str, command: Sequence[str]) -> list[str]:
        return list(command)

    def host(self, tier: str) -> str:
        return "127.0.0.1"

    def address(self, tier: str, port: int) -> str:
        if tier != "edge":
            return f"127.0.0.1:{port}"
        self._relay = self._relay or Relay(port, SLOW / 8)
        return f"127.0.0.1:{self._relay.port}"

    def set(self, state: str) -> None:
        if self._relay is not None:
            self._relay.set(state)

    def close(self) -> None:
        if self._relay is not None:
            self._relay.close()


def namespaces_work() -> bool:
    """Whether this user may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None and shutil.which("tc") is not None and _allowed()


def _allowed() -> bool:
    probe = f"edgeopt-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode == 0
    return made and subprocess.run(["ip", "netns", "del", probe], capture_output=True).returncode == 0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
