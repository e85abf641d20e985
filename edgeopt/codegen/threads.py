"""The worker threads of a compiled model: parked in Python between bursts, spinning in native code during them."""

from __future__ import annotations

import ctypes
import threading
import weakref

from edgeopt.codegen.native import NativeModule
from edgeopt.codegen.pool import POOL_BYTES
from edgeopt.lower.memory import aligned_bytes

_EXIT_FLAG = 128


class WorkerPool:
    """``count`` workers that help the calling thread with a model of ``steps`` steps.

    They inherit no pinning of their own and end with the pool.
    """

    def __init__(self, native: NativeModule, steps: int, count: int) -> None:
        self.workers = count
        self._memory, self.address = aligned_bytes(POOL_BYTES)
        ctypes.c_int64.from_address(self.address).value = (steps - 1) << 32 | 0xFFFFFFFF
        self._gates = [threading.Semaphore(0) for _ in range(count)]
        self._parked = [True] * count
        self._state = (self._memory, self.address)
        threads: list[threading.Thread] = []
        # Before the first of them starts, so that a failure or an interruption in between ends those that run.
        self._finalizer = weakref.finalize(self, _end, self._state, self._gates, threads)
        for index in range(count):
            arguments = (native, self._state, self._gates[index], self._parked, index)
            thread = threading.Thread(target=_serve, args=arguments, daemon=True, name=f"edgeopt-worker-{index + 1}")
            thread.start()
            threads.append(thread)

    def wake(self) -> None:
        """Let every parked worker look for chunks."""
        for index, gate in enumerate(self._gates):
            if self._parked[index]:
                self._parked[index] = False
                gate.release()

    def close(self) -> None:
        """End the workers."""
        self._finalizer()

    def abandon(self) -> None:
        """Forget the workers, which a forked process does not have; their locks may be held for ever."""
        self._finalizer.detach()


def _serve(
    native: NativeModule, state: tuple[memoryview, int], gate: threading.Semaphore, parked: list[bool], index: int
) -> None:
    address = state[1]
    while True:
        gate.acquire()
        if ctypes.c_int64.from_address(address + _EXIT_FLAG).value:
            return
        native.worker(address, index + 1)
        parked[index] = True


def _end(state: tuple[memoryview, int], gates: list[threading.Semaphore], threads: list[threading.Thread]) -> None:
    ctypes.c_int64.from_address(state[1] + _EXIT_FLAG).value = 1
    for gate in gates:
        gate.release()
    for thread in threads:
        thread.join()  # the code they run must not be unloaded under them
