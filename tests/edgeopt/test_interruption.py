"""A model whose first run failed or was interrupted, or whose process forked, is as good as before."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import edgeopt
from edgeopt.cli.main import main
from edgeopt.codegen import native
from edgeopt.errors import EdgeoptError
from edgeopt.runtime import model as runtime
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt import small_models

NET = small_models.convolution()
X = np.random.default_rng(3).normal(size=(1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def model() -> CompiledModel:
    return edgeopt.compile(NET)


class Once:
    """Raises ``error`` at call number ``at``, then works like ``function``."""

    def __init__(self, function: Callable[..., object], error: BaseException, at: int) -> None:
        self.function, self.error, self.left = function, error, at

    def __call__(self, *arguments: object, **named: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.function(*arguments, **named)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(12, "Cannot allocate memory")])
@pytest.mark.parametrize(("name", "at"), [("NativeModule", 1), ("aligned_bytes", 1), ("aligned_bytes", 2)])
def test_a_first_run_that_fails_leaves_the_model_usable(
    model: CompiledModel, name: str, at: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, name, Once(getattr(runtime, name), error, at))
    with pytest.raises((EdgeoptError, type(error))):
        model.run({"x": X})
    expected = edgeopt.compile(NET).run({"x": X})["y"]
    np.testing.assert_array_equal(model.run({"x": X})["y"], expected)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(12, "Cannot allocate memory")])
@pytest.mark.parametrize(("weights", "name"), [("raw", "readable"), ("coded", "decoded")])
def test_weights_that_could_not_be_read_are_read_again(
    tmp_path: Path, weights: str, name: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(NET, tmp_path / "net.onnx")
    arguments = ["compile", str(tmp_path / "net.onnx"), "--weights", weights, "-o", str(tmp_path / "net.edgeopt")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    model = edgeopt.load(tmp_path / "net.edgeopt")
    monkeypatch.setattr(runtime, name, Once(getattr(runtime, name), error, 1))
    with pytest.raises((EdgeoptError, type(error))):
        model.run({"x": X})
    np.testing.assert_array_equal(model.run({"x": X})["y"], edgeopt.compile(NET).run({"x": X})["y"])


def test_warnings_as_errors_leave_the_model_usable() -> None:
    model, x = edgeopt.compile(small_models.loop(), level=0), np.ones(3, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="runs on the host"):
            model.run({"x": x})
    assert model.run({"x": x})["last"].shape == (3,)


def test_workers_that_do_not_start_are_one_message(model: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model.manifest["target"]["cores"] = 8
    model._choice.record(1, 1.0)
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", Once(start, RuntimeError("can't start new thread"), 1))
    with pytest.raises(EdgeoptError, match="threads cannot be started"):
        model.run({"x": X}, threads=3)
    monkeypatch.undo()
    np.testing.assert_array_equal(model.run({"x": X}, threads=3)["y"], model.run({"x": X})["y"])


def in_child(work: Callable[[], bool]) -> bool:
    """Whether ``work`` is true in a forked child, which has ten seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads, which is what is tried
        child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.fixture
def busy(model: CompiledModel) -> Iterator[CompiledModel]:
    """A model that another thread runs all the time, on two threads where there are."""
    model.manifest["target"]["cores"] = max(2, model.manifest["target"]["cores"])
    expected, stop = model.run({"x": X})["y"], threading.Event()
    batch = {"x": np.repeat(X, 64, 0)}

    def work() -> None:
        while not stop.is_set():
            model.run(batch, threads=2)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        stop.set()
        thread.join()
    np.testing.assert_array_equal(model.run({"x": X})["y"], expected)


def test_a_fork_while_another_thread_runs_does_not_hang_the_child(busy: CompiledModel) -> None:
    for _ in range(10):
        assert in_child(lambda: busy.run({"x": X}, threads=2)["y"].shape == (1, 5) and busy.run({"x": X})["y"].shape == (1, 5))


def test_a_fork_while_a_model_is_loaded_does_not_hang_the_child(model: CompiledModel) -> None:
    entered = threading.Event()

    def hold() -> None:
        with native._LOADING:
            entered.set()
            stop.wait(0.5)

    stop = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    assert in_child(lambda: model.run({"x": X})["y"].shape == (1, 5))
    holder.join()


def test_a_fork_inside_a_lock_of_the_model_does_not_hang_the_child(model: CompiledModel) -> None:
    with model._lock:
        assert in_child(lambda: model.run({"x": X})["y"].shape == (1, 5))
    assert model.run({"x": X})["y"].shape == (1, 5)
