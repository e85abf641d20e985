"""Counters of a server as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds


class Metrics:
    """Requests by model and result, and how long those took that succeeded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._buckets: Counter[tuple[str, int]] = Counter()
        self._seconds: Counter[str] = Counter()

    def count(self, model: str, result: str, seconds: float | None = None) -> None:
        """One request for ``model`` ended with ``result``; ``model`` must be one that exists, since each name is kept."""
        with self._lock:
            self._requests[model, result] += 1
            if seconds is not None:
                self._seconds[model] += seconds  # type: ignore[assignment]
                self._buckets[model, bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        """All counters."""
        with self._lock:
            lines = ["# TYPE edgeopt_requests_total counter"]
            lines += [f'edgeopt_requests_total{{model="{m}",result="{r}"}} {n}' for (m, r), n in sorted(self._requests.items())]
            lines.append("# TYPE edgeopt_request_seconds histogram")
            for model, total in sorted(self._seconds.items()):
                done = self._requests[model, "ok"]
                sums = accumulate(self._buckets[model, place] for place in range(len(BUCKETS)))
                lines += [
                    f'edgeopt_request_seconds_bucket{{model="{model}",le="{b}"}} {n}' for b, n in zip(BUCKETS, sums, strict=True)
                ]
                lines.append(f'edgeopt_request_seconds_bucket{{model="{model}",le="+Inf"}} {done}')
                lines.append(f'edgeopt_request_seconds_sum{{model="{model}"}} {total:.6f}')
                lines.append(f'edgeopt_request_seconds_count{{model="{model}"}} {done}')
        return "\n".join(lines) + "\n"
