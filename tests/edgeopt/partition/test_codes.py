"""Codes of tensors: what they lose is what their step says, they come back from disk, and hostile messages are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.partition.codes.choose import estimated, shortest, tried, uploads
from edgeopt.partition.codes.code import BoundaryCode, Code
from edgeopt.partition.codes.fit import fit, spread
from edgeopt.partition.codes.judge import Loss, deviation
from edgeopt.partition.codes.layout import Layout, layouts
from edgeopt.partition.codes.message import OVERHEAD, CodeError, most, pack, unpack
from edgeopt.partition.codes.picture import Jpeg, Raw, grid_of, picture_layout
from edgeopt.partition.codes.stored import read, write
from edgeopt.partition.codes.transforms import as_it_is, discriminant, rotation
from edgeopt.serve.tensors import WireError
from tests.edgeopt.command_line import DIGITS, edgeopt

SHAPE = (1, 6, 5, 4)


def tensors(count: int, seed: int) -> Array:
    """Six channels that are mixtures of two, and little noise."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).standard_normal((6, 2))
    inner = rng.laplace(size=(count, 2, 5, 4))
    return np.asarray(np.einsum("ck,nkhw->nchw", mixing, inner) + 0.01 * rng.standard_normal((count, 6, 5, 4)), np.float32)


def code_of(kind: str, multiple: float = 0.5) -> Code:
    seen, layout = tensors(200, 0), Layout(SHAPE, 1)
    transform = as_it_is(layout) if kind == "plain" else rotation(layout, seen)
    assert transform is not None
    components = transform.apply(seen)
    made = fit(transform, f"{multiple:g}", components, multiple * spread(components))
    assert made is not None
    return made


@pytest.mark.parametrize("kind", ["plain", "rotation"])
def test_the_error_is_that_of_the_step(kind: str) -> None:
    code, x = code_of(kind), tensors(20, 1)
    error = code.round_trip(x) - x
    assert np.sqrt(np.mean(np.square(error))) < code.step
    one = code.decode(code.encode(x[:1]))
    assert one is not None and np.abs(one - code.round_trip(x[:1])).max() < 1e-4


def test_a_rotation_needs_fewer_bytes_where_channels_are_mixtures() -> None:
    x = tensors(20, 1)
    plain, rotated = (float(np.mean(code_of(kind).sizes(x))) for kind in ("plain", "rotation"))
    assert rotated < 0.7 * plain and rotated < 4 * x[0].size / 12
    assert code_of("rotation").shape[0] < 6, "directions that are always rounded to nothing are left out"


@pytest.mark.parametrize("shape", [(1, 6, 5, 4), (1, 5, 4, 3), (1, 7), (1, 9, 8), (1, 2, 3, 4, 5)])
def test_a_layout_is_undone(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal((3, *shape[1:])).astype(np.float32)
    for layout in layouts(shape):
        np.testing.assert_array_equal(layout.closed(layout.opened(x)), x)
        assert layout.opened(x).shape == (3, layout.channels, *layout.maps)


def test_the_discriminant_keeps_what_tells_classes_apart() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = (rng.standard_normal((400, 10)) + 4 * np.eye(10)[y]).astype(np.float32)
    made = discriminant(Layout((1, 10), 1), x, y)
    assert made is not None and made.components == 2
    back = made.undo(made.apply(x))
    assert np.mean(back[:, :3].argmax(axis=1) == y) > 0.95
    assert discriminant(Layout((1, 10), 1), x, np.zeros(400, int)) is None


@pytest.mark.parametrize("value", [0.0, -3.7, 1e6])
def test_a_tensor_that_is_always_the_same_takes_no_bytes(value: float) -> None:
    same = np.full((60, 40), value, np.float32)
    assert discriminant(Layout((1, 40), 1), same, np.arange(60) % 3) is None
    found = shortest(tried(same, np.arange(60) % 3, same, lambda array: Loss(0.0, float(np.abs(array - same).max()), 100.0), 0.0))
    assert found is not None and found.bytes <= OVERHEAD + 4


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -3.4e38])
def test_numbers_without_an_end_are_not_coded(value: float) -> None:
    mask = np.where(np.random.default_rng(0).random((60, 40)) < 0.1, value, 0.0).astype(np.float32)
    lossless = Loss(0.0, 0.0, 100.0)
    assert not tried(mask, np.arange(60) % 3, mask, lambda _: lossless, 1.0) and estimated(mask) == np.inf
    assert not uploads(mask, mask, lambda _: lossless, 1.0)


def test_single_numbers_lose_what_they_miss() -> None:
    wanted = np.random.default_rng(0).standard_normal((200, 1)).astype(np.float32)
    made = deviation(wanted, wanted + np.float32(0.1))
    assert made.points == pytest.approx(10.0 / wanted.std(), rel=1e-3) and made.careful == pytest.approx(made.points, rel=1e-3)
    assert deviation(wanted, wanted) == Loss(0.0, 0.0, 100.0)


def test_the_shortest_code_within_the_budget_is_chosen() -> None:
    seen, held = tensors(100, 0), tensors(50, 1)

    def measure(array: Array) -> Loss:
        lost = 100 * float(np.mean(np.square(array - held)) / np.mean(np.square(held)))
        return Loss(lost, lost, 100.0)

    fine, coarse = (shortest(tried(seen, np.arange(100) % 3, held, measure, budget)) for budget in (1.0, 10.0))
    assert fine is not None and coarse is not None
    assert fine.loss.careful <= 1.0 < coarse.loss.careful <= 10.0
    assert coarse.bytes < fine.bytes < held[0].nbytes / 4
    assert shortest(tried(seen, np.arange(100) % 3, held, lambda _: Loss(9, 9, 0), 1.0)) is None


def test_bytes_of_a_picture_are_exact_and_jpeg_is_shorter() -> None:
    rng = np.random.default_rng(0)
    flat = np.clip(np.cumsum(rng.integers(-9, 10, (30, 3, 32, 32)), axis=3) + 128, 0, 255)
    mean, scale = np.array([0.485, 0.456, 0.406])[:, None, None], np.array([0.229, 0.224, 0.225])[:, None, None]
    x = ((flat / 255 - mean) / scale).astype(np.float32)
    layout = picture_layout((1, 3, 32, 32))
    assert layout is not None and picture_layout((1, 49, 10, 1)) is not None and picture_layout((1, 16, 8, 8)) is None
    grid = grid_of(layout, x)
    assert grid is not None
    np.testing.assert_allclose(Raw(grid).round_trip(x), x, atol=1e-4)
    assert grid_of(layout, rng.standard_normal((5, 3, 32, 32)).astype(np.float32)) is None
    pytest.importorskip("PIL")
    found = uploads(x[:20], x[20:], lambda a: Loss(0.0, 0.0, 100.0), 1.0)
    assert found["bytes"].bytes == 3072 + OVERHEAD > found["jpeg"].bytes
    jpeg = Jpeg(grid, 90)
    back = jpeg.decode(jpeg.encode(x[:1]))
    assert back is not None and np.mean(np.abs(back - x[:1])) < 0.3
    assert jpeg.decode(b"\xff\xd8\xff") is None
    assert Jpeg(grid_of(Layout((1, 3, 16, 16), 1), x[:, :, ::2, ::2]) or grid, 90).decode(jpeg.encode(x[:1])) is None


def test_without_pillow_jpeg_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    x = (np.arange(40 * 64).reshape(40, 1, 8, 8) % 251 / 250).astype(np.float32)
    assert set(uploads(x[:20], x[20:], lambda a: Loss(0.0, 0.0, 100.0), 1.0)) == {"bytes"}
    grid = grid_of(Layout((1, 1, 8, 8), 1), x)
    assert grid is not None
    with pytest.raises(EdgeoptError, match=r"pip install \"edgeopt\[jpeg\]\""):
        Jpeg(grid, 90)
    np.savez(tmp_path / "few.npz", image=x[:4], labels=np.arange(4))
    planned = edgeopt("partition", DIGITS, "--tiers", "wifi", "--data", tmp_path / "few.npz")
    assert planned.exit_code == 1 and "too few" in planned.stderr  # the note comes before the work
    assert planned.stderr.index("JPEG is left out") < planned.stderr.index("too few")


@pytest.mark.parametrize("kind", ["plain", "rotation", "bytes"])
def test_a_code_comes_back_from_disk(kind: str, tmp_path: Path) -> None:
    x = tensors(3, 1)
    code: BoundaryCode
    if kind == "bytes":
        x = np.rint(x)
        grid = grid_of(Layout(SHAPE, 1), np.rint(tensors(200, 0)))
        assert grid is not None
        code = Raw(grid)
    else:
        code = code_of(kind)
    record = json.loads(json.dumps(write(tmp_path / "code-0.npz", code)))
    again = read(tmp_path, record)
    assert again.name == code.name and again.most == code.most
    assert again.encode(x[:1]) == code.encode(x[:1])
    np.testing.assert_array_equal(again.round_trip(x), code.round_trip(x))
    damaged = bytearray((tmp_path / "code-0.npz").read_bytes())
    damaged[200] ^= 1
    (tmp_path / "code-0.npz").write_bytes(damaged)
    with pytest.raises(EdgeoptError, match="differs from what the plan says"):
        read(tmp_path, record)


@pytest.mark.parametrize(
    ("key", "value"),
    [("frequencies", 0), ("groups", 200), ("groups", -1), ("low", 5), ("mean", None), ("values", None), ("step", 0)],
)
def test_arrays_that_do_not_fit_are_refused(key: str, value: int | None, tmp_path: Path) -> None:
    import zlib

    from edgeopt import npz

    path, code = tmp_path / "code-0.npz", code_of("rotation")
    record = write(path, code)
    arrays = dict(np.load(path))
    same = arrays[key]
    arrays[key] = same[:-1] if value is None else np.full_like(same, value, same.dtype if value >= 0 else np.int16)
    npz.write(path, arrays)
    with pytest.raises(EdgeoptError, match="is no code of a tensor"):
        read(tmp_path, {**record, "digest": zlib.crc32(path.read_bytes())})


def test_a_message_carries_several_samples_and_says_when_it_is_damaged() -> None:
    code, x = code_of("rotation"), tensors(3, 1)
    message = pack(code, 7, x)
    np.testing.assert_allclose(unpack(code, 7, message), code.round_trip(x), atol=1e-4)
    assert len(message) <= most(code)
    with pytest.raises(CodeError, match="too many"):
        pack(code, 7, tensors(65, 1))
    with pytest.raises(CodeError, match="another code"):
        unpack(code, 8, message)
    assert issubclass(CodeError, WireError), "a server answers 400"
    for at in range(len(message)):
        for changed in (message[:at], np.concatenate([message[:at], [message[at] ^ 64], message[at + 1 :]])):
            with pytest.raises(CodeError):
                unpack(code, 7, changed.astype(np.uint8))
