"""Damaged models end in EdgeoptError or in a graph that exports; never in another exception, a crash or a hang.

Runs for EDGEOPT_FUZZ_SECONDS (10 by default) from EDGEOPT_FUZZ_SEED (0 by default). A model that fails is kept in the
test's folder and named by the message.
"""

from __future__ import annotations

import faulthandler
import os
import random
import time
from pathlib import Path

import onnx
import pytest

from benchmarks.fuzzing.mutation import mutate
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.ir import verify
from tests.edgeopt import small_models

SECONDS = float(os.environ.get("EDGEOPT_FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("EDGEOPT_FUZZ_SEED", "0"))
SMALL_FILE = 120_000  # bytes
SLOWEST = 10.0  # seconds that one small model may take, the native converter's process included
HANG = 120


def originals() -> list[bytes]:
    """The small models, and the small ones among the real models when they are there."""
    built = [build().SerializeToString() for build in small_models.ALL.values()]
    folder = os.environ.get("EDGEOPT_MODELS", "")
    files = sorted(Path(folder).glob("*/*.onnx")) if folder else []
    return built * 4 + [path.read_bytes() for path in files if path.stat().st_size < SMALL_FILE]


def outcome(path: Path) -> str:
    """'refused' or 'loaded'; a loaded model is also verified and exported."""
    try:
        graph = load(path)
    except EdgeoptError as error:
        assert str(error).strip(), "an EdgeoptError without a message"
        return "refused"
    verify(graph)
    export(graph)
    return "loaded"


def test_damaged_models_are_refused_or_loaded(tmp_path: Path) -> None:
    seeds, chance = originals(), random.Random(SEED)
    counts = {"refused": 0, "loaded": 0}
    path = tmp_path / "damaged.onnx"
    faulthandler.dump_traceback_later(SECONDS + HANG, exit=True)
    end = time.monotonic() + SECONDS
    while (started := time.monotonic()) < end:
        path.write_bytes(mutate(chance.choice(seeds), chance))
        try:
            counts[outcome(path)] += 1
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}; after {counts}, see {path}")
        assert time.monotonic() - started < SLOWEST, f"slow after {counts}, see {path}"
    faulthandler.cancel_dump_traceback_later()
    assert min(counts.values()) > 0, f"the damage is too mild or too heavy to test anything: {counts}"


def test_equal_seeds_give_equal_damage() -> None:
    data = small_models.convolution().SerializeToString()
    assert mutate(data, random.Random(5)) == mutate(data, random.Random(5))


def test_the_fuzzer_notices_an_importer_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: onnx.ModelProto, *limits: object) -> None:
        raise KeyError(model.graph.name)

    monkeypatch.setattr("edgeopt.frontend.onnx_import.check_model", broken)
    with pytest.raises(pytest.fail.Exception, match="KeyError"):
        test_damaged_models_are_refused_or_loaded(tmp_path)
    faulthandler.cancel_dump_traceback_later()
