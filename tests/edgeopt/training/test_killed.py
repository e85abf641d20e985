"""A training whose process is killed at some moment, by a signal that it cannot catch, ends in the same numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

SECONDS = 300  # for one process, most of whose time is for starting
PRUNED = """epochs = 60
batch = 32
[[phase]]
kind = "prune"
keep = 0.3
share = 0.7
[[phase]]
kind = "share"
bits = 3
share = 0.3
"""
QUANTIZED = """epochs = 60
batch = 32
patience = 0
[forms]
"*" = "w4a8"
[[phase]]
kind = "quantize"
"""
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import edgeopt
import edgeopt.training.session as session
from tests.edgeopt.training.stripes import network, samples
from tests.edgeopt.training.test_train import weights

session.SAVE_SECONDS = 0.02
folder = Path(sys.argv[1])
made = edgeopt.tune(network(), samples(600), folder.parent / "recipe.toml", level=1, checkpoints=folder)
np.savez(folder / "made.npz", *weights(made))
"""


def started(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], cwd=Path(__file__).parents[3])


def result(folder: Path) -> list[np.ndarray]:
    assert started(folder).wait(SECONDS) == 0
    with np.load(folder / "made.npz") as found:
        return [found[name] for name in found.files]


@pytest.mark.parametrize("text", [PRUNED, QUANTIZED])
def test_killed_and_gone_on_with(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    whole = result(tmp_path / "whole")
    folder, delays = tmp_path / "killed", np.random.default_rng().uniform(0, 0.6, 2)
    killed = 0
    for delay in delays:
        process, known = started(folder), set(folder.glob("phase-*.npz"))
        end = time.monotonic() + SECONDS
        while process.poll() is None and time.monotonic() < end and set(folder.glob("phase-*.npz")) == known == set():
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    again = result(folder)
    assert killed, "the training was over before it could be killed"
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True)), f"killed after {delays}"
