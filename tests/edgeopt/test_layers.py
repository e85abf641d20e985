"""Which part of edgeopt may import which: the architecture, held by reading every import statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Layer -> the parts of edgeopt it may import (its own part is always allowed, except for passes, which never import each other).
CORE = ("edgeopt.ir", "edgeopt.errors", "edgeopt.memory_limit", "edgeopt.progress")
BACK = ("edgeopt.lower", "edgeopt.codegen", "edgeopt.runtime", "edgeopt.target")
MIDDLE = ("edgeopt.ops", "edgeopt.rewrite", "edgeopt.frontend", "edgeopt.pipeline", "edgeopt.evaluate")
APPROXIMATE = (
    "edgeopt.coding",
    "edgeopt.files",
    "edgeopt.recipe_file",
    "edgeopt.forms",
    "edgeopt.cost",
    "edgeopt.assembly",
    "edgeopt.search",
)
UPPER = (*CORE, *BACK, *MIDDLE, *APPROXIMATE, "edgeopt.arguments", "edgeopt.standard_output")
ALLOWED: dict[str, tuple[str, ...]] = {
    "edgeopt.ir": (),
    "edgeopt.errors": (),
    "edgeopt.memory_limit": ("edgeopt.errors",),
    "edgeopt.arguments": ("edgeopt.errors",),
    "edgeopt.cache": (),
    "edgeopt.repeated": (
        "edgeopt.cache",
        "edgeopt.errors",
        "edgeopt.files",
        "edgeopt.runtime.folder",
        "edgeopt.runtime.marks",
        "edgeopt.__version__",
    ),
    "edgeopt.progress": (),
    "edgeopt.standard_output": (),
    "edgeopt.children": (),
    "edgeopt.coding": ("edgeopt.children", "edgeopt.errors", "edgeopt.compiled"),
    "edgeopt.compiled": ("edgeopt.cache",),
    "edgeopt.features": (),
    "edgeopt.files": ("edgeopt.errors",),
    "edgeopt.recipe_file": ("edgeopt.errors", "edgeopt.files"),
    "edgeopt.npz": (*CORE, "edgeopt.files"),
    "edgeopt.target": ("edgeopt.errors", "edgeopt.files", "edgeopt.features", "edgeopt.target_check"),
    "edgeopt.target_check": ("edgeopt.errors", "edgeopt.features", "edgeopt.target.Target"),
    "edgeopt.rewrite": ("edgeopt.ir",),
    "edgeopt.ops": CORE,
    "edgeopt.frontend": (*CORE, "edgeopt.files", "edgeopt.ops"),
    "edgeopt.interpret": (*CORE, "edgeopt.ops"),
    "edgeopt.passes": (*CORE, "edgeopt.ops", "edgeopt.rewrite"),
    "edgeopt.pipeline": (*CORE, "edgeopt.passes", "edgeopt.rewrite"),
    "edgeopt.kernels": (*CORE, "edgeopt.target", "edgeopt.coding"),
    "edgeopt.lower": (*CORE, "edgeopt.coding", "edgeopt.ops", "edgeopt.kernels", "edgeopt.target"),
    "edgeopt.codegen": (
        *CORE,
        "edgeopt.cache",
        "edgeopt.children",
        "edgeopt.coding",
        "edgeopt.compiled",
        "edgeopt.kernels",
        "edgeopt.lower",
        "edgeopt.target",
    ),
    "edgeopt.evaluate": (
        *CORE,
        "edgeopt.compiled",
        "edgeopt.ops",
        "edgeopt.npz",
        "edgeopt.assembly",
        "edgeopt.runtime",
        "edgeopt.target",
    ),
    "edgeopt.cost": (*CORE, "edgeopt.cache", *BACK, "edgeopt.files", "edgeopt.ops"),
    "edgeopt.runtime": (
        *CORE,
        *BACK,
        "edgeopt.coding",
        "edgeopt.ops",
        "edgeopt.frontend",
        "edgeopt.report",
        "edgeopt.arguments",
        "edgeopt.files",
        "edgeopt.__version__",
    ),
    "edgeopt.report": (*CORE, "edgeopt.ops"),
    "edgeopt.assembly": (*CORE, *BACK, "edgeopt.frontend", "edgeopt.report", "edgeopt.rewrite"),
    "edgeopt.forms": (*CORE, *MIDDLE, "edgeopt.cache", "edgeopt.coding"),
    "edgeopt.search": (*UPPER, "edgeopt.cache", "edgeopt.repeated", "edgeopt.report.times"),
    "edgeopt.options": UPPER,
    "edgeopt.within_limits": UPPER,
    "edgeopt.compiler": (
        *UPPER,
        "edgeopt.target_check",
        "edgeopt.options",
        "edgeopt.report.layers",
        "edgeopt.within_limits",
        "edgeopt.training",
    ),
    "edgeopt.compression": (*UPPER, "edgeopt.compiler", "edgeopt.options"),
    "edgeopt.examine": (*UPPER, "edgeopt.compiler", "edgeopt.npz", "edgeopt.files", "edgeopt.interpret", "edgeopt.report"),
    "edgeopt.serve": (*CORE, "edgeopt.runtime", "edgeopt.__version__"),
    "edgeopt.partition": (
        *UPPER,
        "edgeopt.__version__",
        "edgeopt.files",
        "edgeopt.npz",
        "edgeopt.examine.samples",
        "edgeopt.serve",
        "edgeopt.report",
    ),
    "edgeopt.training": UPPER,
    "edgeopt.explore": (*UPPER, "edgeopt.__version__"),
    "edgeopt.tuning": (*UPPER, "edgeopt.compiler", "edgeopt.options", "edgeopt.training"),
    "edgeopt.conformance": (*CORE, "edgeopt.compiler", "edgeopt.runtime"),
    "edgeopt.cli": ("edgeopt",),
    "edgeopt.__main__": ("edgeopt.cli",),
    "edgeopt": ("edgeopt",),  # the public names, loaded on first use
}
KNOWS_PASSES = ("edgeopt.pipeline", "edgeopt.forms")
KNOWS_KERNELS = ("edgeopt.lower", "edgeopt.codegen.tuned", "edgeopt.codegen.tvm_backend")
# The code generator behind the contract of back ends: those that count the instructions of its kernels know it, others do not.
GENERATOR = tuple(f"edgeopt.codegen.{part}" for part in ("build", "capture", "driver", "kernel_text", "outline", "units"))
KNOWS_GENERATOR = ("edgeopt.codegen", "edgeopt.cost")
BUILDING_BLOCKS = ("edgeopt.kernels.call", "edgeopt.kernels.emit", "edgeopt.kernels.stated")


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package with its dotted name; the links lead into passes/ and kernels/."""
    for folder in (ROOT / "edgeopt", ROOT / "edgeopt" / "passes", ROOT / "edgeopt" / "kernels"):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(source: str) -> set[str]:
    """Everything ``source`` imports, with names taken from a module as ``module.name``; imports for type checking count."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def inside(name: str, part: str) -> bool:
    """Whether the dotted ``name`` is ``part`` or lies in it."""
    return name == part or name.startswith(part + ".")


def violations(module: str, source: str) -> list[str]:
    """What ``module`` imports against the rules."""
    wrong = []
    for name in sorted(imports(source)):
        if name.startswith(".") or inside(name, "passes") or inside(name, "kernels"):
            wrong.append(f"{module} imports {name}: write edgeopt.<part>")
        elif inside(name, "edgeopt") and not _allowed(module, name):
            wrong.append(f"{module} imports {name}")
    return wrong


def law(module: str) -> str:
    """The entry of ALLOWED that binds ``module``. Raises KeyError for a part without a law."""
    found = module if module == "edgeopt" else next((part for part in ALLOWED if part != "edgeopt" and inside(module, part)), "")
    ALLOWED[found]
    return found


def _allowed(module: str, name: str) -> bool:
    if inside(name, "edgeopt.cli"):
        return inside(module, "edgeopt.cli") or module == "edgeopt.__main__"
    if inside(name, "edgeopt.passes"):
        return any(inside(module, part) for part in KNOWS_PASSES)
    if inside(name, "edgeopt.kernels") and not inside(module, "edgeopt.kernels"):
        return any(inside(module, part) for part in KNOWS_KERNELS) or any(inside(name, block) for block in BUILDING_BLOCKS)
    if any(inside(name, part) for part in GENERATOR):
        return any(inside(module, part) for part in KNOWS_GENERATOR)
    layer = law(module)
    return inside(name, layer) or any(inside(name, part) for part in ALLOWED[layer])


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m) for m, p in modules()])
def test_imports_stay_in_their_layer(module: str, path: Path) -> None:
    assert violations(module, path.read_text()) == []


def test_the_search_names_no_technique() -> None:
    techniques = [
        "edgeopt.forms." + path.stem for path in (ROOT / "edgeopt" / "forms").iterdir() if (path / "technique.py").is_file()
    ]
    assert "edgeopt.forms.quantize" in techniques
    for module, path in modules():
        if inside(module, "edgeopt.search"):
            named = [n for n in imports(path.read_text()) if any(inside(n, t) for t in techniques)]
            assert named == [], module


def test_tvm_is_imported_by_its_back_end_alone() -> None:
    importing = {m for m, path in modules() if any(inside(name, "tvm") for name in imports(path.read_text()))}
    asking = {m for m, path in modules() if any(inside(n, "edgeopt.codegen.tvm_backend") for n in imports(path.read_text()))}
    assert all(inside(m, "edgeopt.kernels.tvm") or m == "edgeopt.codegen.tvm_text" for m in importing) and importing
    assert asking == {"edgeopt.codegen.backends"}


def test_every_layer_is_seen() -> None:
    seen = [module for module, _ in modules()]
    for part in ALLOWED:
        assert any(inside(module, part) for module in seen), part


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("edgeopt.ir.graph", "from edgeopt.ops import evaluate"),
        ("edgeopt.passes.fold", "from edgeopt.passes.other import PASS"),
        ("edgeopt.passes.fold", "import edgeopt.target"),
        ("edgeopt.passes.fold", "from edgeopt import passes"),
        ("edgeopt.kernels.conv", "def f() -> None:\n    from edgeopt.ops import evaluate"),
        ("edgeopt.compiler", "from edgeopt.passes import dead_code"),
        ("edgeopt.compiler", "from edgeopt.kernels import conv"),
        ("edgeopt.assembly", "from edgeopt.codegen.build import build"),
        ("edgeopt.runtime", "from edgeopt.cli.console import note"),
        ("edgeopt.pipeline", "from passes import dead_code"),
        ("edgeopt.lower.select", "from . import plan"),
    ],
)
def test_a_forbidden_import_is_caught(module: str, source: str) -> None:
    assert violations(module, source) != []
