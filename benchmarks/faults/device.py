"""The device: ``python -m benchmarks.faults.device FOLDER HOST:PORT --requests N``. One line of JSON for each request."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.faults.placement import SAMPLES
from edgeopt.ir import Array
from edgeopt.partition.client import Client

TOLERANCE = 1e-5  # of the largest output: parts are compiled each for itself, so sums may be taken in another order


def main() -> None:
    """Ask and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("servers", nargs="+")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--deadline", type=float, default=0.2)
    parser.add_argument("--pause", type=float, default=0.02)
    a = parser.parse_args()
    samples = np.load(a.folder / "samples.npz")
    client = Client(a.folder / "plan", a.servers)
    inputs, outputs = ([_of(samples, f"{kind}{i}:") for i in range(SAMPLES)] for kind in "io")
    for index in range(a.requests):
        started = time.monotonic()
        sample = index % SAMPLES
        try:
            answer = client.run(inputs[sample], a.deadline)
            taken = time.monotonic() - started
            line = {"where": answer.where, "error": _error(answer.outputs, outputs[sample]), "reason": answer.reason}
        except Exception as error:  # whatever it is: the answer is lost, which is what is counted here
            taken, line = time.monotonic() - started, {"where": "", "error": 0.0, "reason": repr(error)}
        sys.stdout.write(json.dumps({"at": started, "seconds": taken, **line}) + "\n")
        sys.stdout.flush()
        time.sleep(a.pause)


def _of(samples: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): samples[name] for name in samples if name.startswith(prefix)}


def _error(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> float:
    """The largest difference as a share of the largest output; infinite where names or shapes differ."""
    if found.keys() != wanted.keys() or any(found[k].shape != wanted[k].shape for k in wanted):
        return float("inf")
    return max(float(np.abs(found[k] - wanted[k]).max() / max(np.abs(wanted[k]).max(), 1e-9)) for k in wanted)


if __name__ == "__main__":
    main()
