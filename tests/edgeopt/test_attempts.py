"""What a search that finds nothing is given: the bounds that led another to a network that keeps those of now."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgeopt.runtime.model import CompiledModel
from edgeopt.search.attempts import keeping, remember
from edgeopt.search.limits import Infeasible, Limits, infeasible
from edgeopt.target import target
from edgeopt.within_limits import within_limits

BOARD = target("cortex-m4")
NOTHING = infeasible(Limits(size=1), {}, None, 1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path))


def compiled(layers: float, whole: float, search: str = "one") -> CompiledModel:
    """A network of so many bytes, those of its ``layers`` alone beside, that a ``search`` chose."""
    tried, totals = [{"size": layers, "memory": 40.0}], {"result": {"seconds": 1e-3, "joule": 0.0}}
    record: dict[str, Any] = {"totals": totals, "before": 90.0, "after": 89.5, "tried": tried, "search": search}
    manifest = {"quantization": record, "level": 3, "memory": {"flash": whole, "ram": 40.0}}
    return cast(CompiledModel, SimpleNamespace(manifest=manifest, graph=None))


def answer(limits: Limits) -> CompiledModel:
    """A network with much code, and a smaller one with little, which comes up where bounds are tight and may be stretched."""
    if limits.stretched and limits.size is not None and limits.size < 2500:
        return compiled(4000, 4500)
    if limits.stretched or (limits.size is not None and limits.size >= 3500):
        return compiled(3500, 5500)
    raise NOTHING


def test_the_nearest_network_is_there_for_who_asks_for_what_it_takes() -> None:
    with pytest.raises(Infeasible, match=r"takes 1 ms, 4\.5 kB of flash"):
        within_limits(Limits(size=4000), 1.0, BOARD, [answer])
    made = within_limits(Limits(size=4500), 1.0, BOARD, [answer])
    assert made.manifest["limits"]["figures"]["size"] == 4500


def test_without_what_was_made_before_a_search_may_go_past_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "another"))
    with pytest.raises(Infeasible, match=r"takes 1 ms, 5\.5 kB of flash"):
        within_limits(Limits(size=4500), 1.0, BOARD, [answer])


def test_only_what_the_same_search_made_and_keeps_all_bounds_is_tried() -> None:
    tight, loose = Limits(size=2000, stretched=True), Limits(size=3000)
    remember(["one", "two"], {tight: {"size": 4500.0, "memory": 50.0}})
    remember(["one", ""], {loose: {"size": 4400.0, "memory": 90.0}})
    assert keeping(["one"], Limits(size=4500)) == [tight, loose] and keeping(["one"], Limits(size=4500, memory=60)) == [tight]
    assert keeping(["two", "another"], Limits(size=4500)) == [tight]
    assert keeping(["another"], Limits(size=4500)) == [] and keeping([""], Limits(size=4500)) == []


def test_the_network_of_a_search_in_other_forms_is_found() -> None:
    """The nearest one came of a second search, for codewords say; asked again, that one has nothing to say at first."""

    def other(limits: Limits) -> CompiledModel:
        made = answer(limits)
        if limits.stretched:
            made.manifest["quantization"]["search"] = f"other {made.manifest['memory']['flash']}"
        return made

    with pytest.raises(Infeasible):
        within_limits(Limits(size=4000), 1.0, BOARD, [other])
    assert within_limits(Limits(size=4500), 1.0, BOARD, [other]).manifest["limits"]["figures"]["size"] == 4500
