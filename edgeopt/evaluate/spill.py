"""Many arrays in bounded memory: what does not fit waits in a temporary file, which vanishes with its Store."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from threading import Lock

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.ops.grid import Quantizer

MEMORY = 512 << 20


@dataclass(eq=False)
class Stored:
    """An array in a Store: in ``memory``, or at ``offset`` of its file. With ``grid`` its codes are kept, which is exact."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    grid: Quantizer | None
    memory: Array | None = None
    offset: int = -1

    @property
    def nbytes(self) -> int:
        """Bytes in memory or on disk."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


class Store:
    """Keeps ``limit`` bytes in memory and the rest in a file of the temporary folder. Threads may share it."""

    def __init__(self, limit: int = MEMORY) -> None:
        self._limit, self._used, self._end = limit, 0, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the Store
        self._gaps: dict[int, list[int]] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def put(self, array: Array, grid: Quantizer | None = None) -> Stored:
        """Take in ``array``, whose elements lie on ``grid`` when one is given. Raises EdgeoptError when the disk is full."""
        codes = np.ascontiguousarray(array if grid is None else _codes(array, grid))
        kept = Stored(codes.shape, codes.dtype, grid)
        with self._lock:
            if self._used + kept.nbytes <= self._limit:
                self._used += kept.nbytes
                kept.memory = codes
                return kept
            gaps = self._gaps.get(kept.nbytes)
            kept.offset = gaps.pop() if gaps else self._end
            self._end = max(self._end, kept.offset + kept.nbytes)
        self._write(codes, kept.offset)
        return kept

    def _write(self, codes: Array, offset: int) -> None:
        data = memoryview(codes.tobytes())
        try:
            while data:
                written = os.pwrite(self._file.fileno(), data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise EdgeoptError(
                f"the folder for temporary files cannot hold the values of all calibration samples ({error.strerror}); "
                "make room, set TMPDIR, or calibrate on fewer samples"
            ) from error

    def get(self, kept: Stored) -> Array:
        """The array that was put in."""
        codes = kept.memory
        if codes is None:
            data = bytearray(kept.nbytes)
            view, done = memoryview(data), 0
            while done < len(data):
                done += os.preadv(self._file.fileno(), [view[done:]], kept.offset + done)
            codes = np.frombuffer(data, kept.dtype).reshape(kept.shape)
        return codes if kept.grid is None else _values(codes, kept.grid)

    def free(self, kept: Stored) -> None:
        """Forget an array; others may take its place."""
        with self._lock:
            if kept.memory is not None:
                self._used -= kept.nbytes
                kept.memory = None
            else:
                self._gaps.setdefault(kept.nbytes, []).append(kept.offset)


def _codes(array: Array, grid: Quantizer) -> Array:
    kind = np.min_scalar_type(grid.high - grid.low)
    return np.asarray((np.rint(array / np.float32(grid.scale)) + np.float32(int(grid.zero) - grid.low)).astype(kind))


def _values(codes: Array, grid: Quantizer) -> Array:
    return np.asarray((codes.astype(np.float32) - np.float32(int(grid.zero) - grid.low)) * np.float32(grid.scale))
