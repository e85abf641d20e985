"""``edgeopt calibrate``: measure this machine once for the cost model."""

from __future__ import annotations

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, working


@click.command()
@options.as_json
def calibrate(as_json: bool) -> None:
    """Time small networks and keep the rates of this machine that explain them, for 'edgeopt inspect --target host'.

    Takes about a minute on an idle machine; on a busy one the rates come out too low.
    """
    from edgeopt.compiler import compile
    from edgeopt.cost.calibrate import calibrate as measure
    from edgeopt.cost.calibrate import deviation
    from edgeopt.cost.core import save
    from edgeopt.target import host

    with working("measuring this machine"):
        rates, measured = measure(compile)
    error = deviation(rates, measured)
    path = save(rates, host())
    facts, hertz = host(), rates.frequency
    rows = {
        "fp32 multiply-add, Gflop/s": 2e-9 * rates.fp * facts.lanes * hertz,
        "loads of vectors, GB/s": 1e-9 * rates.load * facts.vector_bytes * hertz,
        "second cache, GB/s": 1e-9 * rates.l2 * hertz,
        "third cache, GB/s": 1e-9 * rates.l3 * hertz,
        "memory, GB/s": 1e-9 * rates.memory * hertz,
        "start of a step, ns": 1e9 * rates.step / hertz,
        "median error of a step, %": 100 * error,
    }
    if as_json:
        answer({"file": str(path), "rates": rows})
        return
    print_table(("rate", "value"), [(name, f"{value:,.1f}") for name, value in rows.items()], numbers=(1,))
    note(f"wrote {path}")
