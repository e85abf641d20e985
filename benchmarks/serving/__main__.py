"""What serving costs: ``python -m benchmarks.serving [--grpc] [--malformed 10000]``.

Round trips of 100 KB each way over the loopback interface, server and clients on the same cores: latency and requests per second
at 1, 8 and 32 clients, of several rounds that with the least median. Then malformed requests: the server must answer afterwards,
and hold no more memory. Exit code 1 when it does not.
"""

from __future__ import annotations

import argparse

from benchmarks.serving.load import Figures, load
from benchmarks.serving.malformed import storm
from benchmarks.serving.server import Running, running
from edgeopt.serve.remotes import remote

GROWTH = 1 << 20  # bytes that a server may hold more after malformed requests
WARM = 2000  # malformed requests before memory is looked at


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grpc", action="store_true", help="gRPC, too (needs edgeopt[serve])")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--malformed", type=int, default=10_000)
    a = parser.parse_args()
    with running(a.grpc) as server:
        _speed(server, a.seconds, a.rounds)
        raise SystemExit(not survives(server, a.malformed))


def _speed(server: Running, seconds: float, rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("protocol", "clients", "p50 ms", "p99 ms", "requests/s", title="100 KB each way")
    addresses = {"HTTP": f"127.0.0.1:{server.http}"} | ({"gRPC": f"grpc://127.0.0.1:{server.grpc}"} if server.grpc else {})
    for protocol, address in addresses.items():
        for clients in (1, 8, 32):
            found: Figures = min((load(lambda a=address: remote(a), clients, seconds) for _ in range(rounds)), key=_median)  # type: ignore[misc]
            table.add_row(protocol, str(clients), f"{found.median:.2f}", f"{found.high:.2f}", f"{found.rate:.0f}")
    Console(width=100).print(table)


def _median(figures: Figures) -> float:
    return figures.median


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
