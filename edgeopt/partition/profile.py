"""Times of layers measured on a machine: written there by ``edgeopt profile``, read where a model is planned.

A layer that a profile does not name is predicted from those it does: for each operator, seconds = a * MACs + b * bytes + c with
a, b, c >= 0 by least squares of the relative error (Kang et al. 2017 fit one regression for each kind of layer). So one profile
of a few networks serves others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular, replacing
from edgeopt.ir import Graph, Node
from edgeopt.ops.macs import macs
from edgeopt.partition.layer_costs import LayerCosts

FORMAT, LIMIT = "edgeopt-profile-1", 64 << 20
LEAST, MOST = 1e-9, 1e18  # seconds, of which a shorter time is no measurement; the most of any number


@dataclass(frozen=True)
class LayerTime:
    """One layer that was measured: multiply-accumulates, bytes of its operands and results, seconds of one inference."""

    name: str
    op: str
    macs: int
    bytes: int
    seconds: float


def write_profile(path: Path, machine: str, layers: Sequence[LayerTime]) -> None:
    """Write what was measured on ``machine``, whole or not at all. Raises EdgeoptError when the disk refuses."""
    text = json.dumps({"format": FORMAT, "machine": machine, "layers": [asdict(layer) for layer in layers]}, indent=1)
    with replacing(path) as stream:
        stream.write(text.encode())


def read_profile(path: Path, graph: Graph) -> LayerCosts:
    """The costs of ``graph``'s nodes by a profile. Raises EdgeoptError for a file that is no profile or holds no layers."""
    machine, layers = _parsed(path)
    known = {(layer.name, layer.op, layer.macs): layer.seconds for layer in layers}
    rules = {op: _fitted([layer for layer in layers if layer.op == op]) for op in {layer.op for layer in layers}}
    general = _fitted(layers)
    seconds, predicted = {}, 0
    for node in graph.nodes:
        done = work(node)
        found = known.get((node.name, node.op, done[0]))
        predicted += found is None
        seconds[node.name] = found if found is not None else float(rules.get(node.op, general) @ (*done, 1.0))
    return LayerCosts(seconds, {}, f"measured on {machine}" + (f", {predicted} layers predicted" if predicted else ""))


def work(node: Node) -> tuple[int, int]:
    """Multiply-accumulates of ``node``, and the bytes of its operands and results."""
    values = [value for value in (*node.inputs, *node.outputs) if value is not None and value.type is not None]
    return macs(node) or 0, sum(value.type.nbytes for value in values if value.type is not None)


def _fitted(layers: Sequence[LayerTime]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rows = np.array([(layer.macs, layer.bytes, 1.0) for layer in layers], float)
    weight = 1 / np.maximum([layer.seconds for layer in layers], LEAST)
    scale = np.maximum(np.abs(rows).max(axis=0), 1.0)
    found, _ = nnls(rows / scale * weight[:, None], np.ones(len(layers)))
    return np.asarray(found / scale)


def _layer(row: dict[str, Any]) -> LayerTime:
    return LayerTime(str(row["name"]), str(row["op"]), int(row["macs"]), int(row["bytes"]), float(row["seconds"]))


def _parsed(path: Path) -> tuple[str, list[LayerTime]]:
    try:
        record = json.loads(read_regular(path, LIMIT))
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        layers = [_layer(row) for row in record["layers"]]
        if not layers or not all(0 <= n <= MOST for layer in layers for n in (layer.macs, layer.bytes, layer.seconds)):
            raise ValueError("it holds no layers, or numbers that are none")
        return str(record["machine"]), layers
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise EdgeoptError(f"'{path}' is no profile of layers ({reason}); 'edgeopt profile MODEL -o FILE' writes one") from error
