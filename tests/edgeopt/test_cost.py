"""The cost model: exact counts where they are known, the order of targets and layers, calibration, and the command line."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgeopt.cache import keep
from edgeopt.codegen.entry import arena_bytes
from edgeopt.cost import estimate
from edgeopt.cost.blocks import instrumented
from edgeopt.cost.calibrate import Measured, fit, program_of
from edgeopt.cost.census import Census, census
from edgeopt.cost.core import RATES, Core, core_of_family, instructions, load, save, table
from edgeopt.cost.energy import table as energies
from edgeopt.cost.mix import CLASSES
from edgeopt.cost.suite import Network, suite
from edgeopt.cost.traffic import level, traffic
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load as read
from edgeopt.ir import Graph
from edgeopt.pipeline import optimize
from edgeopt.target import builtin, host, target
from tests.edgeopt.command_line import DIGITS, answered, edgeopt

TARGETS = ["arm", "cortex-a53", "cortex-a76", "armv7", "x86-64-v3"]


def convolution(channels: int, side: int = 12) -> Graph:
    """One 3x3 convolution, too deep for anything but the direct kernel at level 1."""
    network = Network("convolution")
    network.conv(network.input(1, channels, side, side), channels, channels, 3)
    graph = read(network.model())
    optimize(graph, 1)
    return graph


@pytest.mark.parametrize("name", TARGETS)
def test_the_products_of_a_convolution_are_counted_exactly(name: str) -> None:
    facts = target(name)
    counted = census(program_of(convolution(32), facts, 1), facts)
    products = counted.totals[:, CLASSES.index("multiply")].sum() * facts.lanes
    assert products == 12 * 12 * 32 * 32 * 9


@pytest.mark.parametrize("name", TARGETS)
def test_more_work_costs_more(name: str) -> None:
    facts = target(name)
    costs = [estimate(program_of(g, facts, 1), g, facts) for g in (convolution(16), convolution(32), convolution(64))]
    for quantity in ("seconds", "joule", "ram", "flash"):
        values = [getattr(c, quantity) for c in costs]
        assert values == sorted(values) and values[0] < values[2], quantity


def test_slower_processors_take_longer() -> None:
    graph = convolution(32)
    processors = [target(name) for name in ("armv7", "cortex-a53", "cortex-a72", "cortex-a76")]
    seconds = [estimate(program_of(graph, facts, 1), graph, facts).seconds for facts in processors]
    assert seconds == sorted(seconds, reverse=True)


def test_ram_and_flash_are_those_of_the_program() -> None:
    facts, graph = target("cortex-a53"), convolution(32)
    program = program_of(graph, facts, 1)
    found = estimate(program, graph, facts)
    assert found.ram == arena_bytes(program)
    assert len(program.weights) < sum(layer.flash for layer in found.layers) <= found.flash < len(program.weights) + 20_000
    assert sum(layer.macs or 0 for layer in found.layers) == 12 * 12 * 32 * 32 * 9


def test_a_loop_is_counted_and_its_chain_found() -> None:
    text = """define float @sum(ptr %x, i64 %n) {
entry:
  br label %loop

loop:                                             ; preds = %loop, %entry
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %total = phi float [ 0.000000e+00, %entry ], [ %more, %loop ]
  %at = getelementptr float, ptr %x, i64 %i
  %value = load float, ptr %at, align 4
  %more = fadd contract float %total, %value
  %next = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %exit, label %loop

exit:                                             ; preds = %loop
  ret float %more
}"""
    made, blocks = instrumented(text, target("arm"))
    assert len(blocks) == 3 and made.count("store i64 %edgeopt.next") == 3
    mix = dict(zip(CLASSES, blocks[1].mix, strict=True))
    assert mix["scalar"] == 1 and mix["fp"] == 1 and mix["integer"] == 2 and mix["branch"] == 1 and mix["multiply"] == 0
    assert blocks[1].recurrence == 4.0 and blocks[0].recurrence == blocks[2].recurrence == 0.0


def test_products_of_narrow_integers_are_one_instruction_with_their_widening() -> None:
    half = "<8 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>"
    text = f"""define <4 x i32> @pair(<16 x i8> %a, <16 x i8> %b, <8 x i8> %c, <4 x i32> %t) {{
  %ah = shufflevector <16 x i8> %a, <16 x i8> poison, {half}
  %bh = shufflevector <16 x i8> %b, <16 x i8> poison, {half}
  %aw = sext <8 x i8> %ah to <8 x i16>
  %bw = sext <8 x i8> %bh to <8 x i16>
  %cw = sext <8 x i8> %c to <8 x i16>
  %p = mul nsw <8 x i16> %aw, %bw
  %q = mul nsw <8 x i16> %cw, %bw
  %o = tail call <16 x i8> asm "", "=w,0,w"(<16 x i8> %b, <8 x i16> %p) #6, !noalias !354
  %s = add <8 x i16> %q, %p
  %u = tail call <4 x i32> @llvm.aarch64.neon.saddlp.v4i32.v8i16(<8 x i16> %s)
  %v = add <4 x i32> %u, %t
  %w = tail call <4 x i32> asm "", "=w,0"(<4 x i32> %v) #6, !noalias !354
  ret <4 x i32> %w
}}
declare <4 x i32> @llvm.aarch64.neon.saddlp.v4i32.v8i16(<8 x i16>)"""
    made, blocks = instrumented(text, target("arm"))
    mix = dict(zip(CLASSES, blocks[0].mix, strict=True))
    assert (mix["fp"], mix["permute"], mix["multiply"]) == (3, 0, 4)  # smull, smlal, sadalp: 16 products
    assert "freeze <4 x i32> %v" in made and "asm" not in made


def test_narrow_integers_are_widened_by_the_sum_that_takes_them_in() -> None:
    """Look-ups add entries of tables up so: tbl, saddw, saddw2. What two sums read is widened by itself, once."""
    low, high = ("<8 x i32> <" + ", ".join(f"i32 {k + first}" for k in range(8)) + ">" for first in (0, 8))
    text = f"""define <8 x i16> @entries(<16 x i8> %t, <16 x i8> %i, <8 x i16> %s, <8 x i16> %r) {{
  %e = tail call <16 x i8> @llvm.aarch64.neon.tbl1.v16i8(<16 x i8> %t, <16 x i8> %i)
  %l = shufflevector <16 x i8> %e, <16 x i8> poison, {low}
  %h = shufflevector <16 x i8> %e, <16 x i8> poison, {high}
  %lw = sext <8 x i8> %l to <8 x i16>
  %hw = sext <8 x i8> %h to <8 x i16>
  %a = add <8 x i16> %lw, %s
  %b = add <8 x i16> %r, %hw
  %c = add <8 x i16> %a, %b
  ret <8 x i16> %c
}}
declare <16 x i8> @llvm.aarch64.neon.tbl1.v16i8(<16 x i8>, <16 x i8>)"""
    mixes = [instrumented(made, target("arm"))[1][0].mix for made in (text, text.replace("i16> %a, %b", "i16> %a, %hw"))]
    assert [[mix[CLASSES.index(kind)] for kind in ("fp", "permute")] for mix in mixes] == [[4, 0], [5, 1]]


def test_neighbours_in_memory_are_one_instruction_on_64_bit_arm() -> None:
    """Five vectors in a row are two pairs and one; a load extends its number, and a shift in front of indexing folds."""
    places = "".join(f"  %p{k} = getelementptr i8, ptr %p0, i64 {16 * k}\n" for k in range(1, 5))
    loads = "".join(f"  %v{k} = load <4 x float>, ptr %p{k}, align 4\n" for k in (2, 0, 1, 4, 3))
    text = f"""define void @f(ptr %a, ptr %b) {{
entry:
  %n = load i32, ptr %b, align 4
  %i = zext i32 %n to i64
  %s = shl i64 %i, 4
  %p0 = getelementptr i8, ptr %a, i64 %s
{places}{loads}  ret void
}}
"""
    fenced = text.replace("  %v3", '  fence syncscope("singlethread") seq_cst\n  %v3')
    assert instrumented(fenced, target("cortex-a72"))[1][0].mix[CLASSES.index("folded")] == 1 + 0.5 + 0.5
    mixes = {name: instrumented(text, target(name))[1][0].mix for name in ("cortex-a72", "x86-64-v3")}
    assert [mixes[name][CLASSES.index("folded")] for name in mixes] == [2 + 0.5 + 0.5, 0.5 + 0.5]
    assert instructions(Census(mixes["cortex-a72"][None], np.zeros(1), np.array([[3]]))) == 3 * (1 + 0.5 + 0.5 + 5 - 2)


def test_the_busiest_unit_decides() -> None:
    mixes = np.zeros((2, len(CLASSES)))
    mixes[0, CLASSES.index("fp")], mixes[1, CLASSES.index("load")] = 8, 8
    rates = Core(fp=2, load=1, issue=100)
    np.testing.assert_allclose(rates.block_cycles(mixes, np.zeros(2)), [4, 8])
    np.testing.assert_allclose(rates.block_cycles(mixes, np.array([30.0, 0])), [30, 8])
    bound = Census(mixes, np.zeros(2), np.array([[10, 0]]))
    assert rates.cycles(bound, np.array([[0, 0, 1e6]]))[0] == pytest.approx(1e6 / rates.memory, rel=0.01)


def test_data_lies_in_the_nearest_memory_that_holds_it() -> None:
    facts = target("cortex-a76")
    sizes = (1000, facts.l1 + 1, facts.l2 + 1, facts.l3 + 1)
    assert [level(size, facts) for size in sizes] == [0, 1, 2, 3]


def test_calibration_finds_the_rates_that_made_the_times() -> None:
    facts, true = host(), core_of_family(host())
    true = Core(**{name: 1.4 * getattr(true, name) for name in RATES if name != "overlap"}, overlap=3.0, frequency=true.frequency)
    measured = []
    for model in islice(suite(facts), 3):  # two leave some of the rates open
        graph = read(model)
        optimize(graph, 1)
        program = program_of(graph, facts, 1)
        counted = census(program, facts)
        moved = traffic(program, facts, counted)
        nodes = [step.node for step in program.native]
        measured.append(Measured("made", nodes, counted, moved, 40 * true.cycles(counted, moved) / true.frequency))
    found = fit(measured, core_of_family(facts))
    errors = [np.abs(found.cycles(m.census, m.traffic) / found.frequency / m.seconds - 1) for m in measured]
    assert float(np.median(np.concatenate(errors))) < 0.05


def test_rates_are_kept_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path))
    assert load(host()) is None
    path = save(Core(fp=3.25), host())
    kept = load(host())
    assert kept is not None and kept.fp == 3.25
    path.write_text("{")
    assert load(host()) is None and not path.exists()
    keep("core.json", b'{"cpu": 3}')
    assert load(host()) is None


def test_rates_that_cannot_be_kept_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be written"), pytest.raises(EdgeoptError, match="EDGEOPT_CACHE"):
        save(Core(fp=3.25), host())


def test_every_shipped_target_has_rates() -> None:
    for name in builtin():
        rates = core_of_family(target(name))
        assert all(getattr(rates, rate) > 0 for rate in RATES), name
    assert set(table()) >= {target(n).cpu for n in ("cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1")}


def test_the_energies_are_the_published_ones() -> None:
    assert energies()["float32"] == {"add": 0.9, "multiply": 3.7} and energies()["int8"]["multiply"] == 0.2


def test_inspect_estimates_a_model_and_an_artifact_alike(tmp_path: Path) -> None:
    assert edgeopt("compile", DIGITS, "-o", tmp_path / "d.edgeopt", "--target", "cortex-a53").exit_code == 0
    totals = []
    for model in (DIGITS, tmp_path / "d.edgeopt"):
        result = edgeopt("inspect", model, "--target", "cortex-a53", "--json")
        assert result.exit_code == 0, result.stderr
        totals.append(answered(result)["totals"])
    assert totals[0] == pytest.approx(totals[1], rel=0.02) and min(totals[0].values()) > 0


def test_inspect_prints_a_row_for_every_layer() -> None:
    result = edgeopt("inspect", DIGITS, "--target", "armv7")
    assert result.exit_code == 0 and "FusedGemm" in result.stdout and "flash" in result.stdout, result.stderr
