"""What each layer takes of the file of weights, by the names under which its tensors are stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RAW = "raw"  # weights as the kernels read them
PACKED = re.compile(r"(?:packed for|weights of) (.+?)(?:~\d+)?(?: and \d+ small ones)?")


def stored_by_layer(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Stored bytes of each layer's weights: where they are coded, what a search for few bytes counted of them.

    Else those of its tensors in the file; what layers share, and small tensors that are stored together, count at the first.
    """
    found: dict[str, int] = {}
    for tensor in manifest["storage"]["tensors"]:
        if match := PACKED.fullmatch(tensor["name"]):
            found[match[1]] = found.get(match[1], 0) + tensor["stored"]
    coded = manifest["storage"]["coding"] != RAW
    counted = (manifest.get("compression") or {}).get("layers", []) if coded else []
    return found | {row["layer"]: row["bytes"] for row in counted}
