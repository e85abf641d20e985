"""What a device learns of its link and its servers from the answers, and the placement that is best for it."""

from __future__ import annotations

import math
import threading
import time

from edgeopt.partition.shipped import Shipped
from edgeopt.serve.remote import Reply

WEIGHT = 0.3  # of the newest measurement in the running mean of the logarithm
STEADY = 3  # decisions in a row for another placement before it is taken
PROBE = 1.0  # seconds after which a placement that was given up is tried again
SHORTEST = 1e-5  # seconds on the link, below which a rate cannot be told
FAILURE = math.log(2)  # what a failure adds to the distance from the planned rate, as far as the table goes


class LinkWatch:
    """Running means of the link's rate and the servers' load, as multiples of the planned ones; a decision with hysteresis."""

    def __init__(self, plan: Shipped) -> None:
        self._plan = plan
        self._rate = self._load = 0.0  # logarithms
        self._slowest = min((math.log(row.rate) for row in plan.table), default=0.0) - FAILURE
        self._doubted = False  # whether the newest of what is known of the rate is a failure, which is no measurement
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
            if not self._plan.variants[self._current].uses(0) and time.monotonic() - self._probed > PROBE:
                self._probed = time.monotonic()
                return self._sending()
            return self._current

    def answered(self, reply: Reply, variant: int) -> None:
        """Learn from an answer; the first one after a failure counts alone."""
        beyond = self._plan.variants[variant].beyond
        planned = self._plan.round_trip + reply.sent / self._plan.up + reply.received / self._plan.down
        rate = math.log(planned / max(reply.seconds - reply.taken, SHORTEST))
        with self._lock:
            self._rate = rate if self._doubted else self._rate + WEIGHT * (rate - self._rate)
            self._doubted = False
            if beyond > 0 and reply.taken > 0:
                self._load += WEIGHT * (math.log(reply.taken / beyond) - self._load)
            self._probed = time.monotonic()

    def failed(self) -> None:
        """Nothing came back: the link counts as slower than it was, though not as slower than the table knows."""
        with self._lock:
            self._rate = max(self._rate - WEIGHT * FAILURE, min(self._rate, self._slowest))
            self._doubted = True

    def _nearest(self) -> int:
        """The variant of the nearest row of the table, in logarithms."""
        rows = self._plan.table
        if not rows:
            return 0
        return min(rows, key=lambda row: abs(math.log(row.rate) - self._rate) + abs(math.log(row.load) - self._load)).variant

    def _sending(self) -> int:
        """A variant that uses the link, the first in the plan; the current one where none does."""
        sending = (v for v, shipped in enumerate(self._plan.variants) if shipped.uses(0))
        return next(sending, self._current)
