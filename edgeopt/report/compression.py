"""The table of a compressed network: layer, weights, kept, bits of values and positions, compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = ("layer", "weights", "kept %", "weight bits", "index bits", "bytes", "compression")
NUMBERS = range(1, 7)
CORRECTED = ("theoretical speed-up", "speed-up", "compression", "drop, points", "drop without error correction")
SAID = 0.1  # of the weights, above which it is said what model.onnx takes; chosen by hand


def rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row for each layer, and their sum."""
    layers = record["layers"]
    return [_row(layer) for layer in layers] + ([_row(_sum(layers))] if layers else [])


def _row(layer: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        layer["layer"],
        f"{layer['weights']:,}",
        f"{100 * layer['kept'] / max(1, layer['weights']):.1f}",
        f"{layer['value_bits']:.2f}",
        f"{layer['index_bits']:.2f}",
        f"{layer['bytes']:,}",
        f"{layer['were'] / max(1, layer['bytes']):.1f}x",
    )


def _sum(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one; bits are means over the weights that are kept."""
    total: dict[str, Any] = {key: sum(layer[key] for layer in layers) for key in ("weights", "kept", "were", "bytes")}
    for key in ("value_bits", "index_bits"):
        total[key] = sum(layer[key] * layer["kept"] for layer in layers) / max(1, total["kept"])
    return {"layer": "all", **total}


def summary(record: Mapping[str, Any]) -> str:
    """One line: all constants of the network, biases and tables included, against the model it came from."""
    model, made = record["model"], record["bytes"]
    ratio = f"{model / max(1, made):.1f} times less than" if made <= model else f"{made / max(1, model):.1f} times"
    return f"all constants, coded: {made:,} bytes, {ratio} the model's {model:,}"


def corrected(record: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The row of a network in codewords: speed-ups, compression, and what is lost with and without error correction."""
    about = record.get("corrected")
    if about is None:
        return None
    speed = f"{about['speed_up']:.2f}x {'measured' if about['measured'] else 'estimated'}"
    theory = "-" if about["theoretical"] is None else f"{about['theoretical']:.2f}x"
    lost = ["not verified" if about[key] is None else f"{about[key]:.2f}" for key in ("drop", "uncorrected_drop")]
    return theory, speed, f"{record['model'] / max(1, record['bytes']):.1f}x", *lost


def onnx_share(tensors: Sequence[Mapping[str, Any]], model: int, weights: int) -> str:
    """One line on what an artifact holds for its ``model.onnx`` alone, with the way out; "" where that is little or nothing.

    ``model`` and ``weights`` are the bytes of the files, ``tensors`` what ``weights.bin`` holds: those that no kernel loads are
    there for the ONNX model, whose order of the weights is another one.
    """
    again = sum(tensor["stored"] for tensor in tensors if not tensor["loaded"]) if model else 0
    if model + again <= SAID * (weights - again):
        return ""
    twice = f" and {again:,} bytes of weights.bin, for weights that kernels read in another form" if again else ""
    return f"model.onnx takes {model:,} bytes{twice}; --no-onnx leaves that out"
