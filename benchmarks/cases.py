"""Small models that once failed, with their right values: ``python -m benchmarks.cases DIR [--only PATTERN] [--json FILE]``.

DIR/field holds NAME.onnx with NAME.in.npz and NAME.out.npz, DIR/hostile models and npz files that have to end in one message or
in onnxruntime's numbers. Every file is tried in a process of its own, two at a time, with 10 s of processor time and 2 GB for
each way. Exit code 1 when a verdict is in capitals.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.watched import Limits, watch

NUMBERS = ("O0", "O1", "O2", "export", "arm")
UNSETTLED = ("O0", "O1", "O2")  # without a right value: it has to end, in numbers or in one message
QUANTIZED = "one_* fixed_batch4 unet_resize quant_* conv1d_* conv3d pad_mixed_conv w1_zero_channel fp16_overflow_weights"
MUST_REFUSE = ("m_custom_domain", "m_gather_oob_const")
SCHEMES = [f"{scheme} {data}" for scheme in ("w8a8", "w8", "w1", "fp16", "O3") for data in ("data", "none")]
QUANTIZING = Limits(seconds=60.0)


@dataclass(frozen=True)
class Row:
    """One file tried in one way; the verdict is in capitals when it is wrong."""

    file: str
    way: str
    verdict: str
    detail: str

    @property
    def wrong(self) -> bool:
        """Whether this must not be."""
        return self.verdict.isupper()


def ways(path: Path) -> list[str]:
    """The ways in which a file is tried, from its name and its neighbours."""
    if path.parent.name == "hostile":
        return ["run"] if path.suffix == ".onnx" else ["input"]
    if path.stem.startswith("cache_"):
        first = min(path.parent.glob(re.sub(r"\d+$", "", path.stem) + "*.onnx"))
        return ["cache"] if path == first else []
    if path.stem.startswith("cname"):
        return ["header"]
    if path.stem in MUST_REFUSE:
        return ["refused"]
    found = list(NUMBERS) if path.with_suffix(".out.npz").exists() else []
    if any(fnmatch.fnmatch(path.stem, pattern) for pattern in QUANTIZED.split()):
        return [*found, *SCHEMES]
    return found or list(UNSETTLED)


def judged(path: Path, line: dict[str, Any]) -> Row:
    """A line of the child as a row; a refusal is wrong where a right value is known or the model is to be served."""
    result = line["verdict"]
    served = path.parent.name == "field" and (path.with_suffix(".out.npz").exists() or line["way"] not in UNSETTLED)
    if result == "refused" and served:
        result = "REFUSED"
    return Row(f"{path.parent.name}/{path.name}", line["way"], result, line["detail"])


def tried(path: Path, folder: Path) -> list[Row]:
    """The rows of one file. A way that ends its process gets a row of its own, and the next go on in another process."""
    left, rows = ways(path), list[Row]()
    if left == ["run"]:
        child(path, folder, ["answers"], lambda line: None)
    while left:
        lines: list[dict[str, Any]] = []
        end = child(path, folder, left, lines.append)
        rows += [judged(path, line) for line in lines if "way" in line]
        done = len([line for line in lines if "way" in line])
        if end:
            kind, _, detail = end.partition(": ")
            rows.append(Row(f"{path.parent.name}/{path.name}", left[min(done, len(left) - 1)], kind, detail))
        left = left[done + 1 :] if end else []
    return rows


def child(path: Path, folder: Path, names: list[str], take: Any) -> str:
    """Try ``names`` in a child process; how it ended."""
    limits = QUANTIZING if any(name in SCHEMES for name in names) else Limits()
    return watch([sys.executable, "-m", "benchmarks.case_ways", str(path), str(folder), *names], limits, take)


def show(rows: list[Row], only_wrong: bool) -> None:
    """Print rows of the table."""
    for row in rows:
        if row.wrong or not only_wrong:
            print(f"{row.file:<72}{row.way:<11}{row.verdict:<12}{row.detail[:60]}", flush=True)


def summary(rows: list[Row]) -> None:
    """Print how often each verdict was given."""
    print(", ".join(f"{count} {name}" for name, count in Counter(row.verdict for row in rows).most_common()))


def main() -> None:
    """Try all cases; exit code 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="files whose name matches, as in 'misfit-*'")
    parser.add_argument("--wrong", action="store_true", help="show wrong rows only")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    files = [p for p in sorted(a.folder.glob("field/*.onnx")) + sorted(a.folder.glob("hostile/*")) if p.is_file()]
    files = [p for p in files if fnmatch.fnmatch(p.name, a.only) or fnmatch.fnmatch(p.stem, a.only)]
    with tempfile.TemporaryDirectory(prefix="edgeopt-cases-") as folder, ThreadPoolExecutor(2) as pool:
        rows: list[Row] = []
        for found in pool.map(partial(tried, folder=Path(folder)), files):
            show(found, a.wrong)
            rows += found
    summary(rows)
    if a.json:
        a.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    raise SystemExit(any(row.wrong for row in rows))


if __name__ == "__main__":
    main()
