"""Basic blocks of optimised LLVM IR as instruction mixes, and the same IR with a counter in every block.

The IR is what the target's code generator gets, so vectors already have the width of its registers, and loops are vectorised and
unrolled as on the target. What instruction selection folds away (address arithmetic, multiplications in front of additions,
broadcasts of loaded scalars) is not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeopt.cost.instruction import Instruction
from edgeopt.cost.mix import CLASSES, classify, latency
from edgeopt.cost.pairs import pairs
from edgeopt.ir import Array
from edgeopt.target import Target

COUNTERS = "edgeopt_counters"
_LABEL, _RESULT = re.compile(r'^("[^"]*"|[-\w$.]+):'), re.compile(r"^  (%\S+) = (.*)")
_BARRIER = re.compile(r'= (?:tail )?call (<[^>]+>) asm (?:sideeffect )?"", "[^"]*"\(<[^>]+> ([^,)]+)[^)]*\).*')
_FOREIGN = re.compile(r"^declare (.+?) @(llvm\.(?:x86|aarch64|arm)\.[\w.]+)\((.*)\)", re.M)


@dataclass(frozen=True)
class Block:
    """One basic block: how many instructions of each class it holds, and the cycles of its longest loop-carried chain."""

    mix: Array
    recurrence: float


def instrumented(text: str, target: Target) -> tuple[str, list[Block]]:
    """The module ``text`` counting how often each block runs (in ``COUNTERS``, 64 bit each), and the blocks in that order.

    Instructions of the target that the host lacks are replaced by zeros: no control flow depends on what they compute.
    """
    lines: list[str] = []
    blocks: list[Block] = []
    for kind, body in _pieces(text.split("\n")):
        if kind == "block":
            lines += _counted(body, len(blocks))
            blocks.append(_block(body, target))
        else:
            lines += body
    counters = f"@{COUNTERS} = global [{max(1, len(blocks))} x i64] zeroinitializer"
    kept = [line for line in lines if not line.startswith(("target ", "source_filename"))]
    return _without_foreign("\n".join([counters, *kept])), blocks


def _pieces(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Blocks (label included), and the lines between them."""
    inside = False
    body: list[str] = []
    for line in lines:
        if not inside:
            yield "text", [line]
            inside, body = line.startswith("define "), []
            continue
        if (line == "}" or _LABEL.match(line)) and any(b.strip() for b in body):
            yield "block", body
            body = []
        if line == "}":
            yield "text", [line]
            inside = False
        else:
            body.append(line)


def _counted(body: list[str], number: int) -> list[str]:
    at = next(i for i, b in enumerate(body) if b.startswith("  ") and " = phi " not in b)
    slot = f"getelementptr (i8, ptr @{COUNTERS}, i64 {8 * number})"
    code = [
        f"  %edgeopt.{number} = load i64, ptr {slot}",
        f"  %edgeopt.next.{number} = add i64 %edgeopt.{number}, 1",
        f"  store i64 %edgeopt.next.{number}, ptr {slot}",
    ]
    return [*body[:at], *code, *body[at:]]


def _without_foreign(text: str) -> str:
    text = _BARRIER.sub(r"= freeze \1 \2", text)  # its register class is one of the target's
    for result, name, arguments in _FOREIGN.findall(text):
        types = re.findall(r"<[^>]+>|\b(?:i\d+|float|double|ptr)\b", arguments)
        given = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(types))
        own = name.replace("llvm.", "foreign.")
        made = f"define internal {result} @{own}({given}) {{\n  ret {result} zeroinitializer\n}}"
        text = re.sub(rf"^declare {re.escape(result)} @{re.escape(name)}\(.*$", made, text, flags=re.M)
        text = text.replace(f"@{name}(", f"@{own}(")
    return text


def _block(body: list[str], target: Target) -> Block:
    label = _LABEL.match(body[0])
    found = [_RESULT.match(line) for line in body]
    parsed = [Instruction(m[1] if m else "", m[2] if m else line.strip()) for m, line in zip(found, body, strict=True)]
    parsed = [p for p in parsed if p.text and not p.text.startswith((";", "i64 ", "]")) and not _LABEL.match(p.text)]
    uses = Counter(name for p in parsed for name in p.operands)
    known = {p.name: p for p in parsed if p.name}
    mix = np.zeros(len(CLASSES))
    for p in parsed:
        for kind, amount in classify(p, known, uses, target):
            mix[CLASSES.index(kind)] += amount
    mix[CLASSES.index("folded")] += pairs(parsed, known, target)
    loops = label is not None and any(p.opcode == "br" and f"label %{label[1]}" in p.text for p in parsed)
    return Block(mix, _recurrence(parsed, label[1]) if loops and label is not None else 0.0)


def _recurrence(parsed: list[Instruction], label: str) -> float:
    """The longest chain from a phi of a one-block loop to the value it takes over in the next iteration, in cycles."""
    longest = 0.0
    for phi in (p for p in parsed if p.opcode == "phi"):
        back = re.search(rf"\[ (%\S+), %{re.escape(label)} \]", phi.text)
        if back is None:
            continue
        reached = {phi.name: 0.0}
        for p in parsed:
            before = [reached[name] for name in p.operands if name in reached]
            if before and p.opcode != "phi":
                reached[p.name] = max(before) + latency(p)
        longest = max(longest, reached.get(back[1], 0.0))
    return longest
