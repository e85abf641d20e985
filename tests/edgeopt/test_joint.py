"""The joint search: bounds hold in what is compiled, or the nearest point is said; margins, samples kept apart, what is kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

import edgeopt
from edgeopt.codegen.elf import Elf
from edgeopt.evaluate.data import HEADS, RANGES, DataSet
from edgeopt.evaluate.intervals import FIRST, drop_bound, unlikely_after
from edgeopt.forms.form import Forms
from edgeopt.report.quantization import summary_rows
from edgeopt.report.record import summary_of
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.object_code import stored_code
from edgeopt.search import decide_jointly, trials
from edgeopt.search.decide_jointly import ENOUGH, apart
from edgeopt.search.joint import joint
from edgeopt.search.limits import Infeasible, Limits, amount
from edgeopt.search.recipe import joint_recipe
from edgeopt.search.result import Held
from edgeopt.search.space import Space
from edgeopt.target import target
from tests.edgeopt import small_models
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_exchange import classifier
from tests.edgeopt.test_memory_budget import APART, STARTING
from tests.edgeopt.test_microcontrollers import needs_board

RAISED = "the nearest network found takes"


def compiled(
    seed: int = 0, max_drop: float = 1.0, part: float = RANGES, where: str = "host", **given: object
) -> edgeopt.CompiledModel:
    model, data = classifier()
    calibrating, judging = data.split(seed, part)
    options = edgeopt.Options(seed=seed, **given)  # type: ignore[arg-type]
    return edgeopt.compile(model, 3, where, data=judging, calibration=calibrating, max_drop=max_drop, options=options)


FEW = """
[[step]]
technique = "prune"
forms = ["unstructured-80", "unstructured-50"]
[[step]]
technique = "share_weights"
forms = ["codebook-4", "scaled-7"]
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options of a search for size with few forms on two axes: how a search goes on does not depend on their number."""
    path = tmp_path_factory.mktemp("recipe") / "few.toml"
    path.write_text(FEW)
    return {"prefer": "size", "recipe": path, "onnx": False}


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of this test alone."""
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path))


def test_size_is_kept_and_is_smaller_than_one_recipe_makes_it(few: dict[str, Any]) -> None:
    few = {**few, "part": HEADS}  # on these samples a network in fewer bits is sure
    whole, single = compiled(**few), compiled(quantize="w8a8", onnx=False)
    record, free = whole.manifest["quantization"], whole.manifest["limits"]["figures"]
    assert record["before"] - record["after"] <= 1.0
    assert len(whole.files["weights.bin"]) < len(single.files["weights.bin"])
    assert 0.8 < record["tried"][-1]["size"] / len(whole.files["weights.bin"]) <= 1  # what sums over layers say of the file
    bound = int(1.1 * free["size"])
    kept = compiled(**{**few, "prefer": "speed"}, max_size=bound)
    assert kept.manifest["limits"]["figures"]["size"] <= bound
    assert kept.manifest["limits"]["given"] == {"size": bound}
    (row,) = (row for row in summary_rows(summary_of(kept.manifest)) if "bound" in row[0])
    assert row[0] == f"code and weights kB, bound {bound / 1e3:,.6g}" and row[3].endswith("% of it")


def test_a_bound_beyond_reach_says_the_nearest_point_which_is_there() -> None:
    with pytest.raises(Infeasible, match=f"max_size 0.1 kB stored cannot be kept within max_drop 1: {RAISED}") as refused:
        compiled(max_size=100)
    assert amount("size", bytes_ := refused.value.nearest["size"]) in str(refused.value)
    assert compiled(max_size=int(bytes_)).manifest["limits"]["figures"]["size"] <= bytes_  # code and weights, as compiled


def test_a_bound_of_bytes_is_kept_without_data_by_forms_that_gain_no_time() -> None:
    model, _ = classifier()
    free = edgeopt.compile(model, 3, options=edgeopt.Options(quantize="w8", objective="size", onnx=False))
    size = len(free.files["weights.bin"]) + stored_code(free.files)
    kept = edgeopt.compile(model, 3, options=edgeopt.Options(quantize="w8", max_size=size + 512, onnx=False))
    assert kept.manifest["limits"]["figures"]["size"] <= size + 512
    with pytest.raises(Infeasible, match="raise the bound, or give data: with samples more forms are tried"):
        edgeopt.compile(model, 3, options=edgeopt.Options(quantize="w8", max_size=100))


def test_what_a_network_takes_of_memory_can_be_asked_for() -> None:
    """A sum over layers may say more of RAM than the finished network takes, which is measured."""
    free = compiled(prefer="speed").manifest["limits"]["figures"]
    kept = compiled(prefer="speed", max_ram=int(free["memory"])).manifest["limits"]["figures"]
    assert kept["memory"] <= free["memory"]


def test_a_bound_of_energy_holds_where_nothing_is_searched() -> None:
    with pytest.raises(
        Infeasible, match="max_energy 0.000000001 mJ cannot be kept: the nearest network found takes .* mJ; raise"
    ) as refused:
        edgeopt.compile(relu(), 3, options=edgeopt.Options(max_energy=1e-12))
    energy = refused.value.nearest["energy"]
    edgeopt.compile(relu(), 3, options=edgeopt.Options(max_energy=1.01 * energy))


def relu() -> ModelProto:
    """A network that no form of weights changes."""
    node = helper.make_node("Relu", ["x"], ["y"])
    return small_models.model([node], [small_models.info("x", (1, 64))], [small_models.info("y", (1, 64))])


def test_a_second_search_measures_nothing_again(cached: None, few: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled(**few)
    monkeypatch.setattr(trials.Trials, "_measured", None)  # whoever asks for a trial fails
    again = compiled(**few)
    assert first.manifest["quantization"]["layers"][0]["form"] == again.manifest["quantization"]["layers"][0]["form"]
    assert first.files["weights.bin"] == again.files["weights.bin"]


def test_a_search_that_was_stopped_goes_on(cached: None, few: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked, measured = list[object](), trials.Trials._measured

    def counted(self: trials.Trials, forms: Forms) -> tuple[float, float, list[int], int, int, int]:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(forms)
        return measured(self, forms)

    monkeypatch.setattr(trials.Trials, "_measured", counted)
    with pytest.raises(KeyboardInterrupt):
        compiled(**few)
    first, asked[:] = list(asked), [None] * 4
    stopped = compiled(**few)
    assert asked[4:] and not [forms for forms in asked[4:] if forms in first]
    monkeypatch.setattr(trials.Trials, "_measured", None)
    assert compiled(**few).files["weights.bin"] == stopped.files["weights.bin"]


def test_what_is_chosen_from_follows_from_what_counts() -> None:
    host, board = target("host"), target("cortex-m4")
    assert joint_recipe(Limits(size=1000), "size", host) == "joint-size"
    assert joint_recipe(Limits(size=1000, latency=1.0), "size", host) == "joint"
    assert joint_recipe(Limits(), "latency", host) == "joint"
    assert joint_recipe(Limits(), "size", board) == "joint-board"


def test_when_the_time_is_over_the_best_that_is_known_is_taken(cached: None, few: dict[str, Any]) -> None:
    begun = time.monotonic()
    late = compiled(**few, search_time=1e-3)
    assert time.monotonic() - begun < 60
    record = late.manifest["quantization"]
    assert {row["form"] for row in record["layers"]} == {"scaled-7", "float32"}  # the mildest form, where it fits, verified
    assert record["before"] - record["after"] <= 1.0 and record["samples"]
    (left_out,) = (note for note in late.manifest["notes"] if "no time to judge" in note)
    assert "codebook-4" in left_out and "scaled-7" not in left_out
    full = compiled(**few)
    assert not [note for note in full.manifest["notes"] if "no time to judge" in note]
    assert compiled(**few, search_time=1e-3).files["weights.bin"] == full.files["weights.bin"]  # all of it is known


def test_a_third_is_kept_apart_where_there_is_enough() -> None:
    data = DataSet({"x": np.arange(ENOUGH * 2.0)[:, None].astype(np.float32)}, np.zeros(ENOUGH * 2, np.int64))
    chosen, held = apart(data, 1)
    assert held is not None and len(held) == len(data) // 3
    assert not set(chosen.arrays["x"].ravel()) & set(held.arrays["x"].ravel())
    other = apart(data, 2)[1]
    assert other is not None and not np.array_equal(other.arrays["x"], held.arrays["x"])
    again = apart(data, 1)[1]
    assert again is not None and np.array_equal(again.arrays["x"], held.arrays["x"])
    few = data.take(slice(0, ENOUGH - 1))
    assert apart(few, 1) == (few, None)


def test_samples_held_out_send_the_search_back(few: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = list[float]()

    def asked(space: Space, *rest: Any) -> Any:
        budgets.append(space.goal.max_drop)
        return joint(space, *rest)

    monkeypatch.setattr(decide_jointly, "ENOUGH", 100)
    monkeypatch.setattr(decide_jointly, "joint", asked)
    monkeypatch.setattr(decide_jointly, "judged", lambda *given: Held(100, 90.0, 80.0, 15.0, 12.0))
    made = compiled(**few)
    assert budgets == [1.0, 0.5, 0.25]
    assert made.manifest["quantization"]["held"]["looks"] == 3
    assert any("on 100 others that the search asked 3 times" in line for line in made.manifest["notes"])


def test_a_margin_for_samples_that_are_not_seen() -> None:
    before = np.ones(400, bool)
    after = before.copy()
    assert drop_bound(before, after) == 0.0
    after[:4] = False
    spread = np.sqrt(4 - 16 / 400)
    assert drop_bound(before, after) == pytest.approx(100 * (4 + 1.2816 * spread - 0.5) / 400, rel=1e-4)
    tenth = drop_bound(before, after, unlikely_after(9))
    assert tenth == pytest.approx(100 * (4 + 3.0588 * spread - 0.5) / 400, rel=1e-4)
    assert (unlikely_after(FIRST), *map(unlikely_after, range(2))) == (0.1, 0.05, 0.05)
    assert sum(map(unlikely_after, range(2, 2000))) == pytest.approx(0.1 / 2, rel=4e-3)
    assert drop_bound(after, before) == pytest.approx(100 * (1.2816 * spread - 0.5) / 400, rel=1e-4)  # better is chance


def test_the_margin_holds_for_nine_of_ten_networks_that_were_judged_by_it() -> None:
    """Of networks that change decisions at any rate, as many to right as to wrong, those within the bound keep it elsewhere."""
    rng, kept = np.random.default_rng(0), list[bool]()
    for rate in np.repeat([0.002, 0.005, 0.01, 0.02, 0.04], 400):
        seen, unseen = rng.random((2, 250, 2)) < [[[0.5, rate]]]  # right before, and changed
        before, after = ([s[:, 0], s[:, 0] ^ s[:, 1]] for s in (seen, unseen))
        if drop_bound(*before) <= 1.0:
            kept.append(100 * float(np.mean(after[0]) - np.mean(after[1])) <= 1.0)
    assert len(kept) > 400 and np.mean(kept) >= 0.9


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    wrong = command("compile", "examples/digits.onnx", "--max-latency", "20", "-o", str(tmp_path / "a"))
    assert wrong.exit_code == 2 and "is no time" in wrong.stderr
    two = command(
        "compile", "examples/digits.onnx", "-O3", "--prefer", "size", "--objective", "energy", "-o", str(tmp_path / "a")
    )
    assert two.exit_code == 1 and "name two things to make small" in two.stderr
    unused = command("compile", "examples/digits.onnx", "-O1", "--max-latency", "20ms", "-o", str(tmp_path / "a"))
    assert unused.exit_code == 0 and "--max-latency has no effect" in unused.stderr
    unused = command("compile", "examples/digits.onnx", "--prefer", "size", "-o", str(tmp_path / "b"))
    assert unused.exit_code == 0 and "prefer has no effect: below -O3" in unused.stderr


def executed(model: edgeopt.CompiledModel, data: DataSet) -> tuple[int, int]:
    """(flash, RAM with the stack that was used) of the program on an emulated board, where it gives this machine's results."""
    few = data.take(slice(0, 3)).arrays
    with Emulator(model) as emulator:
        made = emulator.run(few)["y"]
        stack = int(np.fromfile(emulator.folder / "stack.bin", np.uint32)[0])
        program = Elf((emulator.folder / "program.elf").read_bytes())
    sections = {name: len(content) for name, content in program.sections().items()}
    assert np.array_equal(made, edgeopt.compile(model.graph, 0).run(few)["y"])
    return sections[".text"] + sections.get(".data", 0), sections.get(".data", 0) + sections.get(".bss", 0) + stack


def test_a_microcontroller_keeps_its_flash_or_the_nearest_network_is_said() -> None:
    needs_board("cortex-m4")
    model, data = classifier()
    free = edgeopt.compile(model, 3, "cortex-m4", data=data, options=edgeopt.Options(prefer="size"))
    takes = free.manifest["memory"]
    assert free.manifest["limits"]["figures"]["size"] == takes["flash"]
    assert free.manifest["quantization"]["before"] - free.manifest["quantization"]["after"] <= 1.0
    small = {"max_flash": takes["flash"] + 64, "max_ram": takes["ram"] + 64}
    kept = edgeopt.compile(model, 3, "cortex-m4", data=data, options=edgeopt.Options(**small))
    assert kept.manifest["memory"]["flash"] <= small["max_flash"] and kept.manifest["memory"]["ram"] <= small["max_ram"]
    flash, ram = executed(kept, data)
    assert flash <= small["max_flash"] + STARTING and ram <= small["max_ram"] + APART
    with pytest.raises(Infeasible, match=f"max_flash 0.5 kB of flash cannot be kept within max_drop 1: {RAISED}") as refused:
        edgeopt.compile(model, 3, "cortex-m4", data=data, options=edgeopt.Options(max_flash=500))
    nearest: dict[str, Any] = {"max_flash": int(refused.value.nearest["size"]), "max_ram": int(refused.value.nearest["memory"])}
    again = edgeopt.compile(model, 3, "cortex-m4", data=data, options=edgeopt.Options(**nearest)).manifest["memory"]
    assert again["flash"] <= nearest["max_flash"] and again["ram"] <= nearest["max_ram"]
