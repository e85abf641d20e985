"""Inner loops in assembly of 64-bit Arm, held against llvm-mca.

Two bounds: the time of the loop's multiply-additions alone, where they are most of its arithmetic, and that of the busiest unit.
The model of the Cortex-A53 lets no instruction end before an older one, so that a load behind a multiply-addition waits for six
cycles; the processor does not ask for that, and the order of instructions that suits it best looks worst there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from edgeopt.target import Target

_ARITHMETIC = re.compile(r"^\s*(?:fmla|fmls|fadd|fsub|fmul|fdiv|fmax|fmin|smlal|sdot|mla)\w*\s")
LEAST = 8  # multiply-additions of a loop that is held against them
LOOPS = 3  # inner loops judged for each network: those with most arithmetic


def inner_loops(assembly: str) -> Iterator[list[str]]:
    """Instructions of the loops of one block: a label and the code up to a branch back to it."""
    label = ""
    body: list[str] = []
    for line in assembly.splitlines():
        found = re.match(r"^(\.L\w+):", line)
        if found or re.match(r"^\w+:", line):
            label, body = (found[1] if found else ""), []
        elif line.startswith("\t") and not line.startswith(("\t.", "\t//", "\t;")):
            body.append(line.split("//")[0].rstrip())
            if label and re.search(rf"[\s,]{re.escape(label)}$", body[-1]):
                yield body
                label, body = "", []  # what follows is no part of the loop


def cycles(code: list[str], target: Target) -> tuple[float, float]:
    """llvm-mca's cycles for one iteration of a loop body: as it runs, and those of the busiest unit."""
    tool = shutil.which("llvm-mca")
    assert tool is not None
    arguments = [tool, f"-mtriple={target.triple}", f"-mcpu={target.cpu}", "-iterations=200"]
    result = subprocess.run(arguments, input="\n".join(code), capture_output=True, text=True, timeout=120, check=True)
    total, unit = (re.search(rf"{name}:\s+([\d.]+)", result.stdout) for name in ("Total Cycles", "Block RThroughput"))
    assert total is not None and unit is not None
    return int(total[1]) / 200, float(unit[1])


def bounds(assembly: str, target: Target) -> tuple[float, float]:
    """For the loops with most arithmetic the least shares of the multiply-additions alone, and of the busiest unit."""
    shares: tuple[list[float], list[float]] = ([], [])
    known = target.architecture == "aarch64" and shutil.which("llvm-mca") is not None  # it has no model of most others
    loops = sorted(inner_loops(assembly), key=lambda body: -sum(bool(_ARITHMETIC.search(text)) for text in body))[:LOOPS]
    for body in loops if known else ():
        whole, unit = cycles(body, target)
        arithmetic = [text for text in body if _ARITHMETIC.search(text)]
        products = [text for text in arithmetic if "fmla" in text]
        if len(products) >= max(LEAST, len(arithmetic) / 2):
            shares[0].append(min(1.0, cycles(products, target)[0] / whole))
        if arithmetic:
            shares[1].append(min(1.0, unit / whole))
    least, busiest = (min(found, default=float("nan")) for found in shares)
    return least, busiest
