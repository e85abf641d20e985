"""The networks of a benchmark: an ONNX file each in one folder, calibration and evaluation data in another."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from edgeopt.evaluate.data import DataSet, read
from edgeopt.ir import Graph

R = TypeVar("R")


def network_arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of ``--models DIR --data DIR [--only NAME,...]``, to which a benchmark adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", help="names of networks, separated by commas")
    return parser


def networks(given: argparse.Namespace) -> list[Path]:
    """The files that the arguments ask for, in alphabetical order."""
    wanted = given.only.split(",") if given.only is not None else None
    return [path for path in sorted(given.models.glob("*.onnx")) if wanted is None or path.stem in wanted]


def reported(rows: Iterable[R], markdown: Callable[[list[R]], str], path: Path | None) -> None:
    """Each of ``rows``, which are dataclasses, on stderr when it is there; all of them as JSON in ``path``, and as a table."""
    found = []
    for row in rows:
        found.append(row)
        print(row, file=sys.stderr, flush=True)
        if path is not None:  # after each, so that a run that is stopped leaves what it found
            path.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")  # type: ignore[call-overload]
    print(markdown(found))


def data_of(path: Path, folder: Path, graph: Graph) -> tuple[DataSet, DataSet]:
    """Calibration and evaluation data of the network of ``path``: NAME.cal.npz and NAME.eval.npz in ``folder``."""
    calibration, evaluation = (read(folder / f"{path.stem}.{part}.npz", graph) for part in ("cal", "eval"))
    return calibration, evaluation
