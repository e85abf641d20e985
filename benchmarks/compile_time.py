"""Seconds and memory of a compilation: ``python -m benchmarks.compile_time MODEL... [--level 2] [--json FILE] [--options TEXT]``.

Each model is compiled by the command line three times, in processes of their own: with an empty cache (cold); with the compiled
objects in the cache, but not the artifact (objects); and once more as it was (again). Python finds its bytecode, as after an
installation. Seconds are those of a clock and of all processors; memory is the peak of the compiling process, beside three times
the model and 200 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One run: seconds of the clock and of processors, peak memory and what it may be in MB."""

    model: str
    run: str
    seconds: float
    processor_seconds: float
    peak_mb: float
    allowed_mb: float


SMALL = Path(__file__).parents[1] / "examples/digits.onnx"


def rows(model: Path, level: int, options: list[str], bytecode: str) -> list[Row]:
    """The three runs of ``model``, which find Python's ``bytecode``. Raises SystemExit with the compiler's message on failure."""
    with tempfile.TemporaryDirectory() as folder:
        command, environment = _command(model, level, options, folder), _environment(folder, bytecode)
        found = [_measured(model, "cold", command, environment)]
        shutil.rmtree(Path(folder, "edgeopt/requests"), ignore_errors=True)
        return [*found, *(_measured(model, run, command, environment) for run in ("objects", "again"))]


def keep_bytecode(level: int, bytecode: str) -> None:
    """Compile a small model, so that the folder holds the ``bytecode`` of what a compilation imports."""
    with tempfile.TemporaryDirectory() as folder:
        _measured(SMALL, "bytecode", _command(SMALL, level, [], folder), _environment(folder, bytecode))


def _command(model: Path, level: int, options: list[str], folder: str) -> list[str]:
    return [sys.executable, "-m", "edgeopt.cli.main", "compile", str(model), f"-O{level}", "-o", f"{folder}/out", *options]


def _environment(cache: str, bytecode: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "EDGEOPT_CACHE": cache, "PYTHONPYCACHEPREFIX": bytecode}


def _measured(model: Path, run: str, command: list[str], environment: dict[str, str]) -> Row:
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{model}: {said.read().decode(errors='replace')}")
    allowed = 3 * model.stat().st_size / 1e6 + 200
    return Row(model.stem, run, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, allowed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--options", default="", help="more options of the compiler, as one text")
    asked = parser.parse_args()
    print(f"{'model':28} {'run':8} {'seconds':>8} {'processor':>10} {'peak MB':>9} {'of':>7}")
    found = []
    with tempfile.TemporaryDirectory() as bytecode:
        keep_bytecode(asked.level, bytecode)
        for model in asked.models:
            for row in rows(model, asked.level, asked.options.split(), bytecode):
                times = f"{row.seconds:8.2f} {row.processor_seconds:10.2f}"
                print(f"{row.model:28} {row.run:8} {times} {row.peak_mb:9.0f} {row.allowed_mb:7.0f}")
                found.append(row)
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
