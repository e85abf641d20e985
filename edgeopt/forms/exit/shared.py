"""Samples that fit heads must not choose their threshold, too: heads are surer of what they were fitted on."""

from __future__ import annotations

from hashlib import blake2b

from edgeopt.evaluate.data import DataSet
from edgeopt.forms.form import Unsuited

SHARED = 0.1  # of the samples, which some sources of data repeat by chance


def refuse_shared(calibration: DataSet, data: DataSet) -> None:
    """Raise Unsuited when more than ``SHARED`` of the calls of ``data`` are among those of ``calibration``, bit for bit."""
    known, asked = set(_digests(calibration)), _digests(data)
    common = sum(digest in known for digest in asked)
    if common > SHARED * len(asked):
        raise Unsuited(
            f"{common} of {len(asked)} samples of --data are among those of --calibration, which heads are fitted on: "
            "a threshold chosen there would promise too much; give other samples"
        )


def _digests(data: DataSet) -> list[bytes]:
    """One for each call."""
    parts = []
    for name in sorted(data.arrays):
        array, rows = data.arrays[name], data.rows.get(name, 1)
        parts.append([array[call * rows : (call + 1) * rows].tobytes() for call in range(len(data))])
    return [blake2b(b"".join(call), digest_size=16).digest() for call in zip(*parts, strict=True)]
