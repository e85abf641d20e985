"""The pictures of docs/report.md: reports of models that the project ships or makes, as a browser shows them.

    python -m docs.screenshots [--output docs/pictures] [--all]

Compiles the models (minutes without a cache), opens each report in Chromium, 1280 and 390 pixels wide, in light and dark, and
writes the beginning of each page as PNG: those that the page shows, or with ``--all`` every width and scheme, whole, also without
colour, to look at. Ends with an error where a page is wider than its window, or a label is cut off at the edge of its picture.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import edgeopt
from docs.browser import NAMES, Browser
from edgeopt.evaluate.data import DataSet
from edgeopt.report.page import page
from edgeopt.report.record import report_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
DIGITS, DATA, CALIBRATION = (EXAMPLES / f"digits{end}" for end in (".onnx", ".eval.npz", ".cal.npz"))
# what the documentation shows of each page, in pixels of height
WIDE, NARROW = (1280, "light", 1200), (390, "dark", 1500)
SHOWN = {"exits": WIDE, "size": NARROW, "board": WIDE, "partition": WIDE}
# texts of drawings that reach beyond them, by their first words
CUT = """[...document.querySelectorAll('svg')].flatMap(s => [...s.querySelectorAll('text')].filter(t => {
    const a = s.getBoundingClientRect(), b = t.getBoundingClientRect();
    return b.width && (b.left < a.left - 1 || b.right > a.right + 1 || b.top < a.top - 4 || b.bottom > a.bottom + 4);
}).map(t => t.textContent.slice(0, 40)))"""


def reported(made: edgeopt.CompiledModel) -> str:
    """The report of a model, of which the bytes are known once its files are made."""
    assert made.files
    return page(report_of(made.manifest))


def exits() -> str:
    """The digits in int8 with an early exit, for this machine."""
    return reported(edgeopt.compile(DIGITS, 3, data=DATA, calibration=CALIBRATION, options=edgeopt.Options(forms="w8a8,exit")))


def size() -> str:
    """The digits by a joint search for few bytes."""
    return reported(edgeopt.compile(DIGITS, 3, data=DATA, calibration=CALIBRATION, options=edgeopt.Options(prefer="size")))


def board() -> str:
    """A network for pictures of 96 x 96 pixels with random weights, in int8 for a microcontroller."""
    from benchmarks.tiny_networks import person_detection

    images = DataSet({"x": np.random.default_rng(0).uniform(0, 1, (16, 3, 96, 96)).astype(np.float32)})
    asked = edgeopt.Options(quantize="w8a8", objective="size")
    return reported(edgeopt.compile(person_detection(), 3, "cortex-m7", calibration=images, options=asked))


def partition() -> str:
    """A network for pictures of 224 x 224 pixels over a device, an edge server and the cloud."""
    from benchmarks.neurosurgeon_networks import alexnet
    from edgeopt.partition.pictures import report
    from edgeopt.partition.plan import plan
    from edgeopt.partition.record import record_of
    from edgeopt.partition.subject import subject
    from edgeopt.partition.tiers import load_tiers

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alexnet.onnx"
        path.write_bytes(alexnet().SerializeToString())
        return report(record_of(plan(subject(path), load_tiers("wifi"), "latency"), "alexnet"))


PAGES: dict[str, Callable[[], str]] = {"exits": exits, "size": size, "board": board, "partition": partition}


def pictures(browser: Browser, path: Path, everything: bool) -> Iterator[tuple[str, bytes]]:
    """(what is shown, the PNG) of a page. Raises ValueError for one that does not fit its window."""
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            height = browser.open(path, width, scheme)
            if browser.value("document.documentElement.scrollWidth") > width or (cut := browser.value(CUT)):
                raise ValueError(f"{path.name}, {width} pixels wide: {cut or 'the page is wider'}")
            shown = SHOWN[path.stem][:2] == (width, scheme)
            if everything or shown:
                yield f"{width}-{scheme}", browser.picture(width, 0, height if everything else min(height, SHOWN[path.stem][2]))
            if everything and scheme == "light":
                yield f"{width}-grey", browser.picture(width, 0, height, grey=True)


def main() -> None:
    """Make the pages and their pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("pictures"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", help="names of pages, separated by commas")
    given = parser.parse_args()
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed: apt-get install chromium")
    given.output.mkdir(parents=True, exist_ok=True)
    with Browser(program) as browser, tempfile.TemporaryDirectory() as folder:
        for name in given.only.split(",") if given.only else PAGES:
            path = Path(folder) / f"{name}.html"
            path.write_text(PAGES[name](), encoding="utf-8")
            for what, png in pictures(browser, path, given.all):
                (given.output / f"{name}-{what}.png").write_bytes(png)
                print(f"{name}-{what}.png: {len(png):,} bytes")


if __name__ == "__main__":
    main()
