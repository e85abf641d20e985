"""Fuzzes the compiler: ``python -m benchmarks.fuzz [--mutate] [--minutes M] [--seed N] [--cases N] [--findings DIR]``.

Without --mutate: nodes whose operands do not fit (``benchmarks.fuzzing.misfits``). With it: damaged copies of small models and of
those in the folder EDGEOPT_MODELS. A case must be refused with one message, or give the numbers of onnxruntime or of onnx's
reference; it runs in memory between pages that nobody may touch. Equal seeds give equal cases: ``--seed N --cases 1`` repeats
one, and a later run goes on with the seed that the summary names. Findings are written as N-OP.onnx with their inputs as
N-OP.npz. Exit code 1 when there are any.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fuzzing.batch import Outcome, outcomes
from benchmarks.fuzzing.misfits import Case, drawn

BATCH = 40
WRONG = ("CRASH", "HANG", "TRACEBACK", "FOREIGN", "DIFFERENT")


def fuzz(draw: Callable[[int], Case], seed: int, cases: int, seconds: float) -> Iterator[Outcome]:
    """Outcomes of the cases from ``seed`` on, until ``cases`` of them or ``seconds`` are over."""
    end, last = time.monotonic() + seconds, seed + cases
    for first in range(seed, last, BATCH):
        for outcome in outcomes(range(first, min(first + BATCH, last)), draw):
            yield outcome
            if time.monotonic() > end:
                return


def keep(case: Case, outcome: Outcome, folder: Path) -> None:
    """Write a finding: the model, its inputs, and a line in findings.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case.name}.onnx").write_bytes(case.model)
    np.savez(folder / f"{case.name}.npz", *case.inputs.values())  # in the order of the model: a damaged name may be no text
    with (folder / "findings.jsonl").open("a") as file:
        file.write(json.dumps({"name": case.name, **asdict(outcome)}) + "\n")


def summary(kind: str, counts: Counter[str], first: int, last: int, minutes: float) -> str:
    """The line that a run ends with."""
    wrong = ", ".join(f"{counts[name]} {name.lower()}" for name in WRONG)
    rest = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name not in WRONG)
    return f"{kind}: {sum(counts.values())} cases (seeds {first} to {last}) in {minutes:.1f} min: {wrong}; {rest}"


def main() -> None:
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutate", action="store_true", help="damage whole model files instead of single nodes")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1 << 40)
    parser.add_argument("--only", default="", metavar="OP")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--verbose", action="store_true", help="show every outcome")
    a = parser.parse_args()
    if a.mutate:
        from benchmarks.fuzzing.damaged import damaged as draw
    else:
        draw = partial(drawn, only=a.only)
    counts, started, last = Counter[str](), time.monotonic(), a.seed
    draw(a.seed)  # what all cases share is made before children are
    for outcome in fuzz(draw, a.seed, a.cases, 60 * a.minutes):
        counts[outcome.verdict] += 1
        last = outcome.number
        case = (
            draw(outcome.number)
            if outcome.wrong or a.verbose or outcome.verdict in ("unfounded", "refused though valid")
            else None
        )
        if case is not None:
            print(f"{case.name:<32}{outcome.verdict:<22}{outcome.detail[:150]}", flush=True)
            if outcome.wrong:
                keep(case, outcome, a.findings)
    print(summary("mutations" if a.mutate else "misfits", counts, a.seed, last, (time.monotonic() - started) / 60))
    raise SystemExit(any(counts[name] for name in WRONG))


if __name__ == "__main__":
    main()
