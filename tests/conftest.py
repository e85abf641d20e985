"""Fixtures of all tests: golden texts, the optional folder of real models, bounded property tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"

settings.register_profile(
    "edgeopt", max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("edgeopt"), max_examples=500, derandomize=False)
settings.load_profile(os.environ.get("EDGEOPT_HYPOTHESIS", "edgeopt"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden texts instead of comparing with them")


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
