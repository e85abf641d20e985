"""Two checkouts against each other: ``python -m benchmarks.same_numbers OTHER MODEL... [--levels 1 2]``.

Each model is compiled and run on the same inputs by the code in this folder and by that in the folder OTHER, in processes of
their own; the table says whether all outputs are the same bits, and the bytes of machine code and weights of both.
For changes that must not change a number. Exit code 1 when an output differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Runs in either checkout, so it uses nothing but what both have.
PROGRAM = """
import hashlib, json, sys, warnings
import numpy as np
import edgeopt
warnings.simplefilter("ignore")
path, level = sys.argv[1], int(sys.argv[2])
try:
    model = edgeopt.compile(path, level=level)
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"[:200]}))
    raise SystemExit
rng = np.random.default_rng(0)
feeds = {}
for port in model.manifest["inputs"]:
    shape, kind = port["shape"], np.dtype(port["dtype"])
    drawn = rng.standard_normal(shape) if kind.kind == "f" else rng.integers(0, 4, shape)
    feeds[port["name"]] = drawn.astype(kind)
outputs = model.run(feeds)
digests = {name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12] for name, array in outputs.items()}
code = sum(len(model.files.get(name, b"")) for name in ("model.o", "model.o.xz"))
sizes = {"code": code, "weights": len(model.files["weights.bin"])}
print(json.dumps({"outputs": digests, **sizes}))
"""


def found(folder: Path, model: Path, level: int) -> dict[str, Any]:
    """What the checkout in ``folder`` makes of ``model``: digests of the outputs and sizes, or an error."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "EDGEOPT_CACHE": str(folder / ".cache")}
    command = [sys.executable, "-c", PROGRAM, str(model), str(level)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False)
    lines = done.stdout.strip().splitlines()
    return dict(json.loads(lines[-1])) if lines else {"error": done.stderr.strip()[-200:]}


def verdict(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What the table says of a model."""
    if "error" in one or "error" in other:
        return "declined by both" if "error" in one and "error" in other else f"ERROR {one.get('error') or other.get('error')}"
    return "same bits" if one["outputs"] == other["outputs"] else "DIFFERS"


def main() -> int:
    """Compare every model at every level and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    failed = 0
    print(f"{'model':45} level  outputs           code bytes            weight bytes")
    for model in arguments.models:
        for level in arguments.levels:
            one, other = (found(f.resolve(), model.resolve(), level) for f in (Path.cwd(), arguments.other))
            said = verdict(one, other)
            failed += said not in ("same bits", "declined by both")
            sizes = [f"{other.get(k, '-')} -> {one.get(k, '-')}" for k in ("code", "weights")]
            print(f"{model.stem:45} -O{level}    {said:17} {sizes[0]:21} {sizes[1]}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
