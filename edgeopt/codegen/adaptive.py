"""Whether more threads pay at the moment: another program on the second core can make them slower than one.

A worker that loses its core in the middle of a chunk holds everybody up for a time slice of the operating system, and nothing
inside the call can help it. So runs are timed: while several threads take longer than one thread did, runs stay on one thread,
for ever longer stretches, and several are tried again after each.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1.05
SHORTEST, LONGEST = 4, 64  # runs on one thread after a loss
REFRESH = 64  # runs on several threads after which one run on one thread brings its time up to date


@dataclass
class ThreadChoice:
    """Decides run by run. Times are seconds per sample."""

    alone: float = 0.0
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
            self.alone = seconds if self.alone == 0 or self.since_refresh >= REFRESH else 0.5 * (self.alone + seconds)
            self.solo_left, self.since_refresh = max(0, self.solo_left - 1), 0
            return
        self.since_refresh += 1
        if seconds > TOLERANCE * self.alone:
            self.solo_left, self.stretch = self.stretch, min(LONGEST, 2 * self.stretch)
        else:
            self.stretch = max(SHORTEST, self.stretch // 2)
