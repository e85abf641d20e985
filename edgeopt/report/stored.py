"""What each layer takes of the file of weights, by the names under which its tensors are stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PACKED = re.compile(r"(?:packed for|weights of) (.+?)(?:~\d+)?(?: and \d+ small ones)?")


def stored_by_layer(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Stored bytes of each layer; what layers share, and small tensors that are stored together, count at the first of them."""
    found: dict[str, int] = {}
    for tensor in manifest["storage"]["tensors"]:
        if match := PACKED.fullmatch(tensor["name"]):
            found[match[1]] = found.get(match[1], 0) + tensor["stored"]
    return found
