"""Solved layers, kept in the cache: a compilation that was interrupted goes on with the layer it was at.

An entry is named by all that its solution depends on (the weight, what is known of its inputs, the rate, and the code that
solves), so what is read is what would have been computed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from edgeopt.cache import keep, read
from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.solve import Seen
from edgeopt.ir import Array, Node
from edgeopt.ops.codebooks import LookupWeight

FOLDER = "codewords"


def solved_once(node: Node, rate: Rate, seen: Seen, correct: bool, solve: Callable[[], LookupWeight]) -> LookupWeight:
    """What ``solve`` says of the layer, now or in an earlier process."""
    entry = f"{FOLDER}/{_name(node, rate, seen, correct)}.npz"
    content = read(entry)
    if content is None:
        content = _written(solve())
        keep(entry, content)
    return _read(content)


def _name(node: Node, rate: Rate, seen: Seen, correct: bool) -> str:
    made = hashlib.sha256(f"{_code()} {np.__version__} {node.op} {rate} {seen.scale} {seen.parts} {correct}".encode())
    known = seen.moments
    moments = () if known is None else (known.own, known.mean, known.reference_mean, known.cross)
    for array in (node.constant(1), node.constant(2), seen.rows, *moments):
        made.update(b"-" if array is None else f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return made.hexdigest()


@cache
def _code() -> str:
    """A hash of the code that solves."""
    made = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        made.update(path.read_bytes())
    return made.hexdigest()


def _written(weight: LookupWeight) -> bytes:
    arrays: dict[str, Array] = {"codes": weight.codes, "books": weight.books, "scale": weight.scale}
    arrays["numbers"] = np.array([weight.channels, weight.shift, weight.dense])
    file = io.BytesIO()
    np.savez(file, **arrays, **({} if weight.bias is None else {"bias": weight.bias}))  # type: ignore[arg-type]
    return file.getvalue()


def _read(content: bytes) -> LookupWeight:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        channels, shift, dense = found["numbers"].tolist()
        bias = found["bias"] if "bias" in found.files else None
        return LookupWeight(found["codes"], found["books"], found["scale"], channels, shift, bias, bool(dense))
