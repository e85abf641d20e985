"""The short form of ``python -m benchmarks.serving``: malformed requests neither stop a server nor fill its memory."""

from __future__ import annotations

import random
import time

from benchmarks.serving.__main__ import survives
from benchmarks.serving.malformed import KINDS, send
from benchmarks.serving.server import running
from edgeopt.serve.watchdog import SPARE, Watchdog


def test_a_server_survives_malformed_requests() -> None:
    with running() as server:
        assert survives(server, 400, warm=400, growth=4 << 20)
        rng = random.Random(8)
        answers = {kind.__name__: [send(server.http, kind(rng)) for _ in range(5)] for kind in KINDS}
    assert all(answer for answer in answers["fields"] + answers["sizes"] + answers["short"]), "each gets a reason"
    assert all(b" 4" in answer for answer in answers["sizes"])


def test_deadlines_that_were_kept_are_forgotten() -> None:
    import socket

    dog = Watchdog()
    with socket.socket() as watched:
        for _ in range(5 * SPARE):
            with dog.until(time.monotonic() + 3600, watched):
                pass
    assert len(dog._watched) <= SPARE + 1
