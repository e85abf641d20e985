"""Whether samples that are to judge a network were trained on."""

from __future__ import annotations

import hashlib

import numpy as np

from edgeopt.evaluate.data import DataSet


def seen_before(data: DataSet, training: DataSet) -> int:
    """How many samples of ``data`` are, bit for bit, among those of ``training``."""
    known = set(_digests(training))
    return sum(digest in known for digest in _digests(data))


def _digests(data: DataSet) -> list[bytes]:
    rows = [np.ascontiguousarray(data.arrays[name]).reshape(len(data), -1) for name in sorted(data.arrays)]
    return [hashlib.sha256(b"".join(row[i].tobytes() for row in rows)).digest() for i in range(len(data))]
