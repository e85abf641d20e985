"""The table of ``edgeopt inspect --bytes``."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say, working


def show_bytes(model: Path, as_json: bool) -> None:
    """Say where every byte of a compiled model goes. Raises EdgeoptError for what is none."""
    from edgeopt.examine.stored_bytes import stored_bytes

    with working(f"reading {model.name}"):
        found = stored_bytes(model)
    if as_json:
        return answer({**asdict(found), "total": found.total})
    columns = ("weights.bin", "elements", "bytes", "stored", "bits", "in memory", "coding")
    sizes = [[f"{n:,}" for n in (t.elements, t.bytes, t.stored, t.loaded)] for t in found.tensors]
    cells = [
        (re.sub(r"~\d+$", "", t.name), elements, whole, stored, f"{t.bits:.2f}", loaded, t.coding)
        for t, (elements, whole, stored, loaded) in zip(found.tensors, sizes, strict=True)
    ]
    heads = ("heads and padding", "", "", f"{found.heads:,}", "", "", "")
    print_table(columns, [*cells, heads], numbers=range(1, 6))
    print_table(("file", "what it is", "bytes"), [(name, what, f"{size:,}") for name, what, size in found.files], numbers=(2,))
    source = "" if not found.source else f", {found.total / found.source:.2f} of the model's {found.source:,}"
    say(f"{found.total:,} bytes{source}; in memory: " + ", ".join(f"{name} {size:,}" for name, size in found.memory.items()))
    return None
