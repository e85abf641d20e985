"""Whether more threads pay at the moment: another program on the second core can make them slower than one.

A worker that loses its core in the middle of a chunk holds everybody up for a time slice of the operating system, and nothing
inside the call can help it. So runs are timed: while most runs on several threads take longer than those on one did, runs stay on
one thread, for ever longer stretches, and several are tried again after each. One slow run says nothing: medians are compared.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median_low

TOLERANCE = 1.05
SHORTEST, LONGEST = 4, 64  # runs on one thread after a loss
REFRESH = 64  # runs on several threads after which one run on one thread brings its time up to date
WINDOW, FEWEST = 9, 2  # runs on several threads that are judged together: the last ones, and after a stretch this many at least
REMEMBERED = 5  # runs on one thread


@dataclass
class ThreadChoice:
    """Decides run by run. Times are seconds per sample."""

    alone: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    together: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    stretch: int = SHORTEST
    solo_left: int = 0
    since_refresh: int = REFRESH

    def threads(self, wanted: int) -> int:
        """The threads to use for the next run when ``wanted`` were asked for."""
        if wanted <= 1 or self.solo_left > 0 or self.since_refresh >= REFRESH:
            return 1
        return wanted

    def record(self, used: int, seconds: float) -> None:
        """Take note of a run on ``used`` threads."""
        if used <= 1:
            self.alone.append(seconds)
            self.solo_left, self.since_refresh = max(0, self.solo_left - 1), 0
            return
        self.since_refresh += 1
        self.together.append(seconds)
        if len(self.together) >= FEWEST and median_low(self.together) > TOLERANCE * median_low(self.alone):
            self.solo_left, self.stretch = self.stretch, min(LONGEST, 2 * self.stretch)
            self.together.clear()  # what comes after the stretch is judged by itself
        elif len(self.together) == WINDOW:
            self.stretch = SHORTEST
