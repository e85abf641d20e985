"""Several servers that can answer the same calls: the next one is tried when one fails, and a failed one rests for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeopt.ir import Array
from edgeopt.serve.remote import Reply, Unreachable
from edgeopt.serve.remotes import AnyRemote
from edgeopt.serve.served import Signature

FIRST_REST, LONGEST_REST = 0.25, 1.0  # seconds; each failure doubles the rest
SHARE = 0.6  # of the time left that one server may take while others could still be asked


class Resting(Unreachable):
    """No server was asked: all of them failed a moment ago."""


@dataclass
class _Health:
    """``rest`` seconds that the last failure cost, and the moment ``until`` which the server is left alone."""

    rest: float = 0.0
    until: float = 0.0


class Neighbours:
    """Servers in order of preference."""

    def __init__(self, remotes: Sequence[AnyRemote]) -> None:
        self._remotes = list(remotes)
        self._health = {remote.address: _Health() for remote in remotes}
        self._lock = threading.Lock()

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[Signature], deadline: float) -> tuple[Reply, str]:
        """The first answer, and the address it came from.

        Raises Unreachable with every reason when none answers in time, Resting when none was asked.
        """
        reasons, awake = [], self._awake()
        for position, remote in enumerate(awake):
            now = time.monotonic()
            last = position == len(awake) - 1
            try:
                reply = remote.infer(model, inputs, outputs, deadline if last else now + SHARE * (deadline - now))
            except Unreachable as error:
                self._failed(remote)
                reasons.append(str(error))
            else:
                self._answered(remote)
                return reply, remote.address
        if not awake:
            raise Resting("all servers failed a moment ago and rest")
        raise Unreachable("; ".join(reasons))

    def _awake(self) -> list[AnyRemote]:
        now = time.monotonic()
        with self._lock:
            return [remote for remote in self._remotes if self._health[remote.address].until <= now]

    def _failed(self, remote: AnyRemote) -> None:
        with self._lock:
            health = self._health[remote.address]
            health.rest = min(max(2 * health.rest, FIRST_REST), LONGEST_REST)
            health.until = time.monotonic() + health.rest

    def _answered(self, remote: AnyRemote) -> None:
        with self._lock:
            self._health[remote.address] = _Health()
