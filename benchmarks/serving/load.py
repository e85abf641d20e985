"""Clients that ask one after the other, and how long their answers take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.server import X, Y
from edgeopt.serve.remotes import AnyRemote


@dataclass(frozen=True)
class Figures:
    """Milliseconds at the median and the 99th percentile, and requests per second of all clients."""

    median: float
    high: float
    rate: float


def load(client: Callable[[], AnyRemote], clients: int, seconds: float) -> Figures:
    """``clients`` threads of this process ask for ``seconds``, each over a connection of its own."""
    x = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
    times: list[list[float]] = [[] for _ in range(clients)]
    barrier = threading.Barrier(clients)
    ends = [0.0] * clients

    def ask(number: int) -> None:
        remote = client()
        remote.infer("echo", {"x": x}, [Y], time.monotonic() + 30)
        barrier.wait()
        begun = time.monotonic()
        while (started := time.monotonic()) < begun + seconds:
            reply = remote.infer("echo", {"x": x}, [Y], started + 30)
            times[number].append(time.monotonic() - started)
        assert np.array_equal(reply.outputs["y"], x)
        ends[number] = time.monotonic() - begun

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [1e3 * t for one in times for t in one]
    median, high = np.quantile(every, (0.5, 0.99))
    return Figures(float(median), float(high), len(every) / max(ends))
