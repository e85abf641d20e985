"""The cache: an entry is whole or absent, whatever happened to it; where nothing can be kept, compiling works all the same."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import parser

import edgeopt
from edgeopt import cache
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from tests.edgeopt.command_line import DIGITS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an empty cache."""
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path))
    return tmp_path / "edgeopt"


@pytest.fixture
def substitute(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The temporary folders of this process, none at first."""
    found: list[Path] = []
    monkeypatch.setattr(cache, "_temporary", found)
    return found


def graph(text: str, inputs: str = "float[2,3] x, float[2,3] z", outputs: str = "float[2,3] y") -> Graph:
    return load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> made ({inputs}) => ({outputs}) {{ {text} }}'))


def cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def change(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def append(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(1 + chance.randrange(9)))


def noise(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(chance.randrange(2000)))


def nonsense(path: Path, chance: random.Random) -> None:
    path.write_text('{"checksum": []}')


def folder_in_its_place(path: Path, chance: random.Random) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def dangling_link(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def link_to_itself(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(path)


def pipe(path: Path, chance: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def another_entry(path: Path, chance: random.Random) -> None:
    """A whole entry, but of another program: its code would be called with this one's memory."""
    cache.keep("other.o", b"code of another program")
    shutil.copy(path.parent / "other.o", path)


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    cut, change, append, noise, nonsense, folder_in_its_place, dangling_link, link_to_itself, pipe, another_entry,
)  # fmt: skip


def test_fifty_damages_are_healed(folder: Path) -> None:
    chance, content = random.Random(0), bytes(range(256)) * 40
    for count in range(50):
        name = f"{count % 7}.o"
        cache.keep(name, content)
        DAMAGES[count % len(DAMAGES)](folder / name, chance)
        assert cache.read(name) is None and not os.path.lexists(folder / name), DAMAGES[count % len(DAMAGES)].__name__
        cache.keep(name, content)
        assert cache.read(name) == content


def test_folders_that_several_make_at_once_keep_the_entries_of_all(folder: Path, substitute: list[Path]) -> None:
    names = [f"trials/{number}/{one}" for number in range(100) for one in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(cache.keep, names, [b"kept"] * len(names)))
    assert not substitute and all(cache.read(name) == b"kept" for name in names)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: str(damage.__name__))
def test_a_damaged_object_is_compiled_anew(folder: Path, damage: Callable[[Path, random.Random], None]) -> None:
    subject, x = "a = Add(x, z) y = Relu(a)", np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    edgeopt.compile(graph(subject), level=1)
    (entry,) = folder.glob("*.o")
    whole = entry.read_bytes()
    damage(entry, random.Random(1))
    made = edgeopt.compile(graph(subject), level=1).run({"x": x, "z": x})
    np.testing.assert_array_equal(made["y"], np.maximum(2 * x, 0))
    assert entry.read_bytes() == whole


def test_what_stands_in_the_place_of_a_folder_is_replaced(folder: Path) -> None:
    folder.mkdir()
    (folder / "tuning").write_text("no folder")
    cache.keep("tuning/a.json", b"[]")
    assert cache.read("tuning/a.json") == b"[]"


def test_nothing_partial_is_left_when_writing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, substitute: list[Path]
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left"):
        cache.keep("a.o", b"content")
    assert list(folder.iterdir()) == [] and cache.read("a.o") is None


def test_a_folder_that_cannot_be_written_is_replaced_with_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, substitute: list[Path]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "file"))  # nobody can make a folder in a file, not even root
    with pytest.warns(UserWarning, match="cannot be written .*EDGEOPT_CACHE") as notes:
        cache.keep("a.o", b"one")
        cache.keep("b.o", b"two")
    assert len(notes) == 1 and len(substitute) == 1
    assert cache.read("a.o") == b"one" and cache.read("b.o") == b"two"


def test_a_user_without_a_home_compiles_with_one_note(tmp_path: Path) -> None:
    """No HOME, no entry in the list of users, a working folder that cannot be written."""
    script = (
        "import os, pathlib\n"
        "def nowhere(): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = staticmethod(nowhere)\n"
        "from edgeopt.cli.main import main\n"
        f"main(['compile', {str(DIGITS)!r}, '-O1', '-o', {str(tmp_path / 'd.edgeopt')!r}])\n"
    )
    away = {"HOME", "XDG_CACHE_HOME", "EDGEOPT_CACHE"}
    environment = {k: v for k, v in os.environ.items() if k not in away} | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd="/proc", env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0 and (tmp_path / "d.edgeopt" / "manifest.json").is_file(), done.stderr
    assert done.stderr.count("no folder for the cache") == 1 and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("edgeopt-cache-*")), "the temporary cache is left behind"


def test_the_cache_of_a_reader_need_not_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edgeopt.compile(graph("y = Add(x, z)"), level=1)
    monkeypatch.setattr(cache, "_write", lambda *_: pytest.fail("written again"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edgeopt.compile(graph("y = Add(x, z)"), level=1)


# -- one cache for many programs


def agree(subject: Graph, seed: int, samples: int = 3) -> None:
    """``samples`` samples in one call, against the meaning of the operators one by one."""
    rng = np.random.default_rng(seed)
    given = [{v.name: _values(rng, v.type.dims) for v in subject.inputs if v.type is not None} for _ in range(samples)]
    expected = [interpret(subject, one) for one in given]
    made = edgeopt.compile(subject, level=1).run({name: np.concatenate([g[name] for g in given]) for name in given[0]})
    for name, array in made.items():
        np.testing.assert_allclose(array, np.concatenate([e[name] for e in expected]), rtol=1e-5, atol=1e-5, err_msg=name)


def _values(rng: np.random.Generator, dims: tuple[int, ...]) -> Array:
    return rng.standard_normal(dims).astype(np.float32)


def test_slices_of_inputs_of_other_sizes(folder: Path) -> None:
    """The same call of the same kernel; what differs is how far a sample lies from the next."""
    body = "s = Constant<value = int64[1] {0}>() e = Constant<value = int64[1] {4}>() a = Constant<value = int64[1] {1}>() "
    for rows in (8, 6, 5):
        agree(graph(body + "y = Slice(x, s, e, a)", f"float[1,{rows},4] x", "float[1,4,4] y"), rows)


def test_inputs_that_nobody_reads(folder: Path) -> None:
    for size in (1, 7, 1000):
        agree(graph("y = Relu(x)", f"float[1,5] x, float[1,{size}] unused", "float[1,5] y"), size)


@pytest.mark.parametrize("kind", ["shapes", "widths"])
def test_one_model_in_twenty_sizes(folder: Path, kind: str) -> None:
    """Twenty shapes of the input, or twenty numbers of channels, in one cache, and once more from the cache."""
    for seed in (*range(20), 3, 17):
        rows, width = (2 + seed % 5, 3 + seed // 5) if kind == "shapes" else (4, 1 + seed)
        shape = f"1,{width},{rows}"
        agree(graph("t = Transpose<perm = [0, 2, 1]>(x) y = Relu(t)", f"float[{shape}] x", f"float[1,{rows},{width}] y"), seed)


def test_a_slice_of_the_suite_on_the_cache_of_another(tmp_path: Path) -> None:
    """Tests that pass on an empty cache pass on one that other tests have filled."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment = {**outside, "EDGEOPT_TEST_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    for part in ("test_copy.py", "test_concat.py"):
        (found,) = (ROOT / "tests" / "kernels").rglob(part)
        done = subprocess.run(
            [*command, str(found)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert len(list((tmp_path / "edgeopt").glob("*.o"))) > 10


def test_loops_of_calibration_are_kept_and_healed(folder: Path) -> None:
    """A process that finds them compiles nothing; a damaged one is compiled anew."""
    script = (
        "import numpy as np\n"
        "from edgeopt.compiled import compiled\n"
        "from edgeopt.evaluate import rounding\n"
        "from numba.core import compiler\n"
        "made = []\n"
        "real = compiler.compile_extra\n"
        "compiler.compile_extra = lambda *a, **k: made.append(1) or real(*a, **k)\n"
        "@compiled\n"
        "def total(x):\n"
        "    s = 0.0\n"
        "    for v in x:\n"
        "        s += v\n"
        "    return s\n"
        "print(total(np.arange(5.0)), len(made))\n"
    )

    def run() -> str:
        command, environment = [sys.executable, "-c", script], {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout.strip()

    assert [run(), run()] == ["10.0 1", "10.0 0"]
    (entry,) = (folder / "loops").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert [run(), run()] == ["10.0 1", "10.0 0"]
