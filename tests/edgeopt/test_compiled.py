"""Loops compiled for this process: an interrupt while one is compiled leaves it whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numba.core.codegen import CPUCodeLibrary

from edgeopt.compiled import compiled


@pytest.fixture
def heeded() -> Iterator[None]:
    """Interrupts raise: a shell lets what it starts in the background ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_waits_for_the_end_of_a_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    finalized = CPUCodeLibrary.finalize
    heard: list[int] = []

    def interrupted(library: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        heard.append(1)
        finalized(library)

    @compiled
    def doubled(x: Any) -> Any:
        return x * 2

    monkeypatch.setattr(CPUCodeLibrary, "finalize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        doubled(np.float32(3))
    monkeypatch.undo()
    assert heard and len(doubled.signatures) == 1
    assert doubled(np.float32(3)) == 6 and signal.getsignal(signal.SIGINT) is signal.default_int_handler
