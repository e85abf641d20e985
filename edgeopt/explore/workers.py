"""Where trials run: in processes of this machine, or on a Ray cluster. A worker that dies costs its trial a second run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any, Protocol

from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import Point
from edgeopt.explore.trial import Subject, evaluate

Numbers = Mapping[str, float]
Result = tuple[int, Point]
Task = Callable[[Subject, Numbers], Point]
RETRIES = 3  # of a trial while which workers died


class Workers(Protocol):
    """Runs trials, which are known by numbers of their own."""

    def submit(self, number: int, subject: Subject, numbers: Numbers) -> None:
        """Begin a trial."""

    def finished(self) -> list[Result]:
        """Wait until some trials have ended, and return what they found."""

    def close(self) -> None:
        """End the workers."""


class Processes:
    """Processes of this machine, each with its share of the threads."""

    def __init__(self, count: int, task: Task = evaluate) -> None:
        self._count, self._pool, self._task = count, self._opened(count), task
        self._running: dict[int, tuple[Future[Point], Subject, Numbers]] = {}
        self._died: dict[int, int] = {}  # how often a worker died while a trial ran

    @staticmethod
    def _opened(count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))

    def submit(self, number: int, subject: Subject, numbers: Numbers) -> None:
        """Begin a trial."""
        try:
            self._running[number] = self._pool.submit(self._task, subject, numbers), subject, numbers
        except BrokenProcessPool as error:
            self._renew(error)
            self.submit(number, subject, numbers)

    def finished(self) -> list[Result]:
        """Trials that have ended; a pool that lost a process is opened anew, and what ran in it runs again."""
        wait([future for future, _, _ in self._running.values()], return_when=FIRST_COMPLETED)
        done = {number: future for number, (future, _, _) in self._running.items() if future.done()}
        results = []
        for number, future in done.items():
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                self._renew(error)
                break
            results.append((number, future.result()))
            del self._running[number]
            self._died.pop(number, None)
        return results

    def _renew(self, error: BaseException) -> None:
        self._pool.shutdown(wait=False)
        self._pool = self._opened(self._count)
        for number, (future, subject, numbers) in list(self._running.items()):
            if not future.done() or future.exception() is not None:
                self._died[number] = died = self._died.get(number, 0) + 1
                if died > RETRIES:
                    said = f"workers died {died} times while trial {number} ran, the last: {error}"
                    raise EdgeoptError(f"{said}; give fewer --workers if memory is short") from error
                self._running[number] = self._pool.submit(self._task, subject, numbers), subject, numbers

    @property
    def identifiers(self) -> list[int]:
        """The process ids of the workers."""
        return list(self._pool._processes or {})

    def close(self) -> None:
        """End them."""
        self._pool.shutdown(cancel_futures=True)


def apart(task: Task, subject: Subject, numbers: Numbers) -> Point:
    """A trial in a process of its own: a worker of Ray maps so much memory that code does not find its place near its data."""
    try:
        return _child().submit(task, subject, numbers).result()
    except BrokenProcessPool:
        _child.cache_clear()
        raise


@lru_cache(maxsize=1)
def _child() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


class Ray:
    """Tasks on a Ray cluster (extra ``edgeopt[ray]``); files are named by paths that all of its machines see."""

    def __init__(self, address: str, task: Task = evaluate) -> None:
        try:
            import ray
        except ImportError as error:
            raise EdgeoptError("--ray needs Ray: pip install 'edgeopt[ray]'") from error
        self._ray: Any = ray
        where = {} if address == "local" else {"address": address}
        paths = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))}}
        ray.init(**where, runtime_env=paths, log_to_driver=False, configure_logging=False)
        self._remote, self._task = ray.remote(max_retries=RETRIES, retry_exceptions=[BrokenProcessPool])(apart), task
        self._running: dict[Any, int] = {}

    def submit(self, number: int, subject: Subject, numbers: Numbers) -> None:
        """Begin a trial."""
        self._running[self._remote.remote(self._task, subject, dict(numbers))] = number

    def finished(self) -> list[Result]:
        """Trials that have ended."""
        done, _ = self._ray.wait(list(self._running))
        return [(self._running.pop(one), self._ray.get(one)) for one in done]

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()
