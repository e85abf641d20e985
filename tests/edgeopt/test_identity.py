"""What a kernel is called, and what an object is kept under, follows everything that is baked into it."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from edgeopt.codegen import build
from edgeopt.codegen.capture import capture
from edgeopt.codegen.driver import call_name, driver_ir
from edgeopt.codegen.identity import identity
from edgeopt.codegen.kernel_text import signature
from edgeopt.cost.suite import Network
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import TensorType
from edgeopt.kernels.call import Layout
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Program, Step, WeightBlock
from edgeopt.lower.table import kernels_for
from edgeopt.target import Target, host, target

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Window:
    rows: int
    fill: float = 0.0


def returning(value: Any) -> Callable[..., Any]:
    """A function that has ``value`` in its closure."""
    return lambda: value


def inside(value: Any) -> Callable[..., Any]:
    """A function that calls a jitted function that has ``value`` in its closure."""
    jitted = njit(returning(value))
    return lambda: jitted()


def emitting(value: Any, facts: Target | None = None) -> Callable[..., Any]:
    """A function that calls one written by the vector emitter, which has ``value`` in its closure."""
    written = vector_function(facts or host(), 1, lambda e, x: e.store(e.constant(value), x))
    return lambda x: written(x)


def with_default(value: Any) -> Callable[..., Any]:
    def function(given: Any = value) -> Any:
        return given

    return function


DIFFERENT = [
    (1, 2), (1, 1.0), (1, True), (0.0, -0.0), (1.0, 1.0 + 2**-52), ("a", "b"), ("1", 1), (None, 0), ((1, 2), (2, 1)), ((1,), [1]),
    (np.float32(1), np.float64(1)), (np.int64(1), 1), (np.arange(3000), np.arange(3000)[::-1]), (np.zeros(4), np.zeros((2, 2))),
    (np.zeros(3, np.int8), np.zeros(3, np.uint8)), (Window(3), Window(5)), (Window(3), Window(3, 1e-9)),
    (Layout(16), Layout(16, fill=1)), ({"a": 1}, {"a": 2}), ({1, 2}, {1, 3}), (max, min), (np.float32, np.float64),
    (np.add, np.subtract), (functools.partial(pow, 2), functools.partial(pow, 3)), (target("arm"), target("cortex-a53")),
    (host(), replace(host(), fma=not host().fma)), (Window(3).__eq__, Window(4).__eq__), (lambda x: x + 1, lambda x: x + 2),
    (lambda x: [y + 1 for y in x], lambda x: [y + 2 for y in x]),
]  # fmt: skip


@pytest.mark.parametrize("factory", [returning, inside, with_default])
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_values_make_other_kernels(factory: Callable[[Any], Callable[..., Any]], one: Any, other: Any) -> None:
    assert identity(factory(one)) != identity(factory(other))
    assert identity(factory(one)) == identity(factory(one))


def test_what_the_emitter_writes_counts() -> None:
    assert identity(emitting(1.0)) == identity(emitting(1.0)) != identity(emitting(2.0))
    assert identity(emitting(1.0)) != identity(emitting(1.0, replace(host(), vector_bytes=16, l1=1)))


def test_a_recursive_function_has_an_identity() -> None:
    def outer(step: int) -> Callable[..., Any]:
        def fall(n: int) -> Any:
            return fall(n - step) if n > 0 else n

        return fall

    assert identity(outer(1)) == identity(outer(1)) != identity(outer(2))


def test_an_unknown_value_is_an_error() -> None:
    with pytest.raises(EdgeoptError, match="closes over .*content is unknown"):
        identity(returning(object()))


def test_it_is_the_same_in_every_process() -> None:
    script = (
        "from tests.edgeopt.test_identity import *\n"
        "print(identity(returning(({'b', 'a', 'c'}, Window(3), np.arange(5), {'x': 1, 'y': 2}))), identity(emitting(2.0)))\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1 and len(seen.pop()) > 128


def programs(seed: int) -> list[Program]:
    """Small networks of many kernels in sizes drawn by ``seed``, for two targets."""
    rng, made = np.random.default_rng(seed), Network("drawn")
    channels, side = int(rng.integers(3, 40)), int(rng.integers(6, 16))
    x = made.conv(made.input(1, channels, side, side), channels, 16, 3, int(rng.integers(1, 3)))
    made.conv(x, 16, int(rng.integers(8, 40)), int(rng.choice([1, 3])))
    made.dense(made.input(int(rng.integers(1, 4)), 24), 24, int(rng.integers(2, 40)))
    model = made.model()
    return [lower(load(model), facts, "drawn", kernels_for(level)) for facts in (host(), target("arm")) for level in (1, 2)]


def test_kernels_of_one_name_are_one_text() -> None:
    """Functions that factories made apart: whatever has one name is captured to one text."""
    found: dict[str, list[Step]] = {}
    for seed in (0, 1, 0, 2):
        _forget_functions()
        for program in programs(seed):
            for step in program.native:
                known = found.setdefault(call_name(step), [])
                if all(step.call.function is not other.call.function for other in known):
                    known.append(step)
    several = [steps for steps in found.values() if len(steps) > 1]  # the same kernels again, or others of the same shape
    assert len(several) >= 5 and len(found) > len(several)
    for steps in several[:8]:
        assert len({_plain(capture(s.call.function, signature(s), "kernel")) for s in steps[:2]}) == 1


def _plain(text: str) -> str:
    """Without comments and pickled messages of errors, which nothing reads, and the serial numbers that numba gives to names."""
    text = re.sub(r"^@\.const\.pickledata.*$| *; preds = .*$", "", text, flags=re.M)
    names: dict[str, str] = {}
    serial = r"@[\w.$]*[0-9a-f]{38,}\b|@\"?_ZN[\w.$%-]+\"?|__v\d+_|\bB\d+\b"
    return re.sub(serial, lambda match: names.setdefault(match[0], f"name{len(names)}"), text)


def _forget_functions() -> None:
    """Empty the caches of all factories, so that they make new functions."""
    for name, module in list(sys.modules.items()):
        if name.startswith("edgeopt.kernels."):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


CHANGES: dict[str, Callable[[Program], Any]] = {
    "name": lambda p: replace(p, name="other"),
    "arena": lambda p: replace(p, arena_bytes=p.arena_bytes + 64),
    "input type": lambda p: replace(p, inputs=[replace(p.inputs[0], type=TensorType("float64", (1, 3))), *p.inputs[1:]]),
    "inputs": lambda p: replace(p, inputs=[*p.inputs, replace(p.inputs[0], type=TensorType("float32", (1, 3)))]),
    "output type": lambda p: replace(p, outputs=[replace(p.outputs[0], type=TensorType("float32", (7,))), *p.outputs[1:]]),
    "chunks": lambda p: _with_step(p, chunks=77),
    "constants": lambda p: _with_step(p, constants=(*p.native[0].call.constants, 3)),
    "function": lambda p: _with_step(p, function=lambda *arguments: None),
    "order": lambda p: replace(p, steps=p.steps[::-1]),
    "place": lambda p: replace(p, steps=[replace(p.native[0], places=p.native[0].places[::-1]), *p.steps[1:]]),
    "types": lambda p: replace(p, steps=[replace(p.native[0], dtypes=("int8", *p.native[0].dtypes[1:])), *p.steps[1:]]),
}


def _with_step(program: Program, **changes: Any) -> Program:
    step = program.native[0]
    return replace(program, steps=[replace(step, call=replace(step.call, **changes)), *program.steps[1:]])


@pytest.mark.parametrize("change", CHANGES)
def test_every_fact_of_a_program_is_in_the_text_it_is_kept_under(change: str) -> None:
    program = programs(0)[0]
    assert driver_ir(CHANGES[change](program), host()) != driver_ir(program, host())


def test_a_library_is_kept_under_its_weights() -> None:
    program = programs(0)[0]
    other = replace(program, block=WeightBlock())
    other.block.add(np.zeros(program.weights_bytes, np.uint8))
    assert driver_ir(other, host(), library=True) != driver_ir(program, host(), library=True)


@pytest.mark.parametrize(
    "part", ["kernels/conv/conv_blocked.py", "codegen/driver.py", "kernels/call.py", "ir/types.py", "target.py"]
)
def test_sources_cover_every_file_that_decides_code(part: str) -> None:
    root = ROOT / "edgeopt"
    files = build.source_files(root.resolve())
    assert {f.resolve() for f in (ROOT / "kernels").rglob("*.py")} <= {f.resolve() for f in files}
    assert {f.resolve() for f in (root / "codegen").rglob("*.py")} <= {f.resolve() for f in files}
    assert (root / part).resolve() in {f.resolve() for f in files}


def test_a_changed_source_in_a_subfolder_changes_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of kernels is a link, as in the repository, and one of its families another."""
    package, real, family = tmp_path / "package", tmp_path / "real", tmp_path / "family"
    for folder in (package / "codegen", package / "ir", real / "conv" / "deep", family):
        folder.mkdir(parents=True)
    (package / "kernels").symlink_to(real)
    (real / "linked").symlink_to(family)
    (package / "target.py").write_text("")
    monkeypatch.setattr(build, "__file__", str(package / "codegen" / "build.py"))
    seen = set()
    for file in (
        package / "target.py",
        real / "a.py",
        real / "conv" / "deep" / "b.py",
        family / "c.py",
        package / "codegen" / "d.py",
    ):
        file.write_text("1")
        seen.add(build.sources.__wrapped__())
    assert len(seen) == 5
