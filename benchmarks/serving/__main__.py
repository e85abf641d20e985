"""What serving costs: ``python -m benchmarks.serving [--grpc] [--malformed 10000]``.

Round trips of 100 KB each way over the loopback interface, server and clients on the same cores: latency and requests per second
at 1, 8 and 32 clients, in turn with bare sockets, of several rounds that with the least median. Then malformed requests: the
server must answer afterwards, and hold no more memory. Exit code 1 when it does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from benchmarks.serving.load import Bare, load
from benchmarks.serving.malformed import storm
from benchmarks.serving.server import Running, running
from edgeopt.serve.remotes import AnyRemote, remote

GROWTH = 1 << 20  # bytes that a server may hold more after malformed requests
WARM = 2000  # malformed requests before memory is looked at


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grpc", action="store_true", help="gRPC, too (needs edgeopt[serve])")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--malformed", type=int, default=10_000)
    a = parser.parse_args()
    with running(a.grpc) as server:
        _speed(server, a.clients, a.seconds, a.rounds)
        raise SystemExit(not survives(server, a.malformed))


def _speed(server: Running, counts: Sequence[int], seconds: float, rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("protocol", "clients", "p50 ms", "p99 ms", "requests/s", title="100 KB each way")
    ways: dict[str, Callable[[], AnyRemote]] = {
        "bare sockets": lambda: Bare(server.bare),
        "HTTP": lambda: remote(f"127.0.0.1:{server.http}"),
    }
    if server.grpc:
        ways["gRPC"] = lambda: remote(f"grpc://127.0.0.1:{server.grpc}")
    for clients in counts:
        turns = [[load(way, clients, seconds) for way in ways.values()] for _ in range(rounds)]
        for way, figures in zip(ways, zip(*turns, strict=True), strict=True):
            best = min(figures, key=lambda f: f.median)
            table.add_row(way, str(clients), f"{best.median:.2f}", f"{best.high:.2f}", f"{best.rate:.0f}")
        table.add_section()
    Console(width=100).print(table)


def survives(server: Running, count: int, warm: int = WARM, growth: int = GROWTH) -> bool:
    """Whether ``server`` answers after ``count`` malformed requests and holds about as much memory as after ``warm`` others."""
    storm(server.http, warm, seed=1)
    before = server.resident()
    statuses = storm(server.http, count)
    grown = server.resident() - before
    alive = load(lambda: remote(f"127.0.0.1:{server.http}"), 1, 0.2).rate > 0
    print(f"{count} malformed requests, by status: {statuses}; memory {before / 1e6:.1f} MB {grown / 1e6:+.2f} MB")
    return alive and grown <= growth


if __name__ == "__main__":
    main()
