"""``edgeopt select --pack``: several points of a front, compiled into one folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, progressing, working

if TYPE_CHECKING:
    from edgeopt.explore.choice import Condition
    from edgeopt.explore.front_file import Front
    from edgeopt.explore.pack import Sizes
    from edgeopt.explore.point import Point
    from edgeopt.runtime.model import CompiledModel


def write_pack(
    found: Front,
    conditions: Sequence[Condition],
    folder: Path,
    wanted: tuple[int, float],
    data: tuple[Path, Path | None],
    backend: str,
) -> None:
    """Compile ``wanted`` (points, share) of a front on ``data`` (and what calibrates) by ``backend``, and write ``folder``."""
    from edgeopt import arguments
    from edgeopt.codegen.backends import find_backend
    from edgeopt.evaluate.data import read
    from edgeopt.explore.choice import spread
    from edgeopt.explore.pack import save_pack
    from edgeopt.explore.selector import learnt
    from edgeopt.frontend import load
    from edgeopt.report.front import COLUMNS, row
    from edgeopt.runtime.folder import refuse_foreign

    refuse_foreign(folder)  # before the work, not after it
    find_backend(backend)
    arguments.file("the model of the front", found.model)
    points = spread(found.points, conditions, wanted[0])
    models: dict[str, CompiledModel] = {}
    for k, point in enumerate(points):
        with progressing(f"compiling point {k + 1} of {len(points)}"):
            models[f"variant-{k}"] = compiled(found, point, *data, backend)
    with working("learning which inputs each is trusted with"):
        inputs = read(data[0], load(found.model, found.shapes or None)).arrays
        selector = learnt(list(models), models.__getitem__, inputs, [point.latency for point in points], wanted[1])
        sizes = save_pack([models[variant.folder] for variant in selector.variants], selector, folder)
    records = [point.record() for point in points]
    print_table(COLUMNS, [row(name, record) for name, record in zip(models, records, strict=True)], numbers=range(1, 7))
    answer({"output": folder, "variants": records, "bytes": asdict(sizes)})
    note(f"wrote {folder}: {_said(len(points), sizes)}")


def compiled(found: Front, point: Point, data: Path, calibration: Path | None, backend: str) -> CompiledModel:
    """The network of a point, without its ONNX form."""
    import edgeopt
    from edgeopt.explore.choice import recipe_text

    shapes = found.shapes or None
    opened = edgeopt.Options(onnx=False, backend=backend, seed=found.seed, accept_chance=found.accept_chance)
    if not point.forms:
        return edgeopt.compile(found.model, 2, found.target, shapes=shapes, options=opened)
    with tempfile.TemporaryDirectory() as aside:
        recipe = Path(aside) / "point.toml"
        recipe.write_text(recipe_text(point, "a point of a front"), "utf-8")
        on = {"data": data, "calibration": calibration, "max_drop": 100.0, "shapes": shapes}
        try:
            return edgeopt.compile(found.model, 3, found.target, options=replace(opened, recipe=recipe), **on)  # type: ignore[arg-type]
        except edgeopt.EdgeoptError as error:
            raise edgeopt.EdgeoptError(str(error).replace(f"recipe '{recipe}'", "a point of the front")) from error


def _said(count: int, sizes: Sizes) -> str:
    share = f"{sizes.shared_weights / 1e3:,.1f} of {sizes.weights / 1e3:,.1f} kB of weights are those of an earlier variant"
    return f"{count} variants in {sizes.pack / 1e3:,.1f} kB, {sizes.apart / 1e3:,.1f} kB apart; {share}"
