"""What all tests share: a cache of their own, golden texts, the optional folder of real models, bounded property tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.drawing import begin_again

GOLDEN = Path(__file__).parent / "golden"

# Tests see no object that other code made, and other code sees none of theirs: each run begins with an empty cache, in place
# before any test imports or starts anything. EDGEOPT_TEST_CACHE names one that is kept, for quick repetitions.
# Processes that run tests side by side share the cache of the one that started them.
KEPT = os.environ.get("EDGEOPT_TEST_CACHE", "")
STARTED = "PYTEST_XDIST_WORKER" in os.environ
if not STARTED:
    os.environ["EDGEOPT_CACHE"] = KEPT or tempfile.mkdtemp(prefix="edgeopt-tests-")

settings.register_profile(
    "edgeopt", max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("edgeopt"), max_examples=500, derandomize=False)
settings.load_profile(os.environ.get("EDGEOPT_HYPOTHESIS", "edgeopt"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden texts instead of comparing with them")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not KEPT and not STARTED:
        shutil.rmtree(os.environ["EDGEOPT_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True)
def drawn_anew() -> None:
    """A test draws the same numbers, whichever ran before."""
    begin_again()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with tests/golden/NAME.txt, or writes it there with --update-golden."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n")
        assert path.is_file(), f"{path} is missing; write it with --update-golden and read it"
        assert text + "\n" == path.read_text()

    return compare


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder named by EDGEOPT_MODELS, which holds models/ and coverage/; tests skip without it."""
    folder = os.environ.get("EDGEOPT_MODELS", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EDGEOPT_MODELS does not name a folder with models/ and coverage/")
    return Path(folder)
