"""What a device learns of its link and its servers from the answers, and the placement that is best for it."""

from __future__ import annotations

import math
import threading
import time

from edgeopt.partition.shipped import Shipped
from edgeopt.serve.remote import Reply

WEIGHT = 0.3  # of the newest measurement in the running mean of the logarithm
STEADY = 3  # decisions in a row for another placement before it is taken
PROBE = 2.0  # seconds after which a placement that was given up is tried again
SHORTEST = 1e-5  # seconds on the link, below which a rate cannot be told


class LinkWatch:
    """Running means of the link's rate and the servers' load, as multiples of the planned ones; a decision with hysteresis."""

    def __init__(self, plan: Shipped) -> None:
        self._plan = plan
        self._rate = self._load = 0.0  # logarithms
        self._current, self._rival, self._votes = self._nearest(), -1, 0
        self._probed = time.monotonic()
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """How fast the first link is, as a multiple of its planned rate."""
        return math.exp(self._rate)

    @property
    def load(self) -> float:
        """How long the work behind the first link takes, as a multiple of what was planned."""
        return math.exp(self._load)

    def variant(self) -> int:
        """The placement to run now. What the link was last seen to be is doubted from time to time, and the first one tried."""
        with self._lock:
            best = self._nearest()
            if best == self._current:
                self._votes = 0
            else:
                self._votes = self._votes + 1 if best == self._rival else 1
                self._rival = best
                if self._votes >= STEADY:
                    self._current, self._votes = best, 0
            sends = self._plan.variants[self._current].up[:1]
            if sends and not sends[0] and time.monotonic() - self._probed > PROBE:
                self._probed = time.monotonic()
                return self._sending()
            return self._current

    def answered(self, reply: Reply, variant: int) -> None:
        """Learn from an answer."""
        beyond = self._plan.variants[variant].beyond
        link = max(reply.seconds - reply.taken, SHORTEST)
        with self._lock:
            self._rate += WEIGHT * (math.log((reply.sent + reply.received) / link / self._plan.up) - self._rate)
            if beyond > 0 and reply.taken > 0:
                self._load += WEIGHT * (math.log(reply.taken / beyond) - self._load)
            self._probed = time.monotonic()

    def failed(self) -> None:
        """Nothing came back: the link counts as slower than it was."""
        with self._lock:
            self._rate -= WEIGHT * math.log(2)

    def _nearest(self) -> int:
        """The variant of the nearest row of the table, in logarithms."""
        rows = self._plan.table
        if not rows:
            return 0
        return min(rows, key=lambda row: abs(math.log(row.rate) - self._rate) + abs(math.log(row.load) - self._load)).variant

    def _sending(self) -> int:
        """A variant that uses the link, the first in the plan; the current one where none does."""
        sending = (v for v, shipped in enumerate(self._plan.variants) if shipped.up and shipped.up[0])
        return next(sending, self._current)
