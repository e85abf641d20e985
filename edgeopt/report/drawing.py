"""The graph of a compiled model as SVG: a row for each node, coloured by its form, and lines from the nodes that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, ROW, LEFT, MOST = 440, 30, 96, 400  # units of the picture, and nodes that are drawn
LETTERS = 42  # of a node, in the widest of the usual fonts
INTEGER = ("Quant", "SparseQuant", "Lookup", "QLinear")
STEP = 7  # between the lines of connections that pass by nodes


def drawing(report: Mapping[str, Any]) -> str:
    """The picture, or "" where nothing is known of the graph; of a large one the first ``MOST`` nodes."""
    nodes, forms = report["nodes"], {layer["layer"]: layer["form"] for layer in report["layers"]}
    shown = nodes[:MOST]
    if not shown:
        return ""
    boxes = [_box(index, node, forms.get(_stem(node["name"]), "")) for index, node in enumerate(shown)]
    lines = [_line(source, index) for index, node in enumerate(shown) for source in node["reads"]]
    height = ROW * len(shown) + 8
    body = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" style="max-width:36rem">{"".join([*lines, *boxes])}</svg>'
    left = len(nodes) - len(shown)
    return body + (f'<p class="about">and {left} more</p>' if left else "")


def legend() -> str:
    """What the colours, and without colour the borders, say."""
    kinds = (("integer", "whole numbers"), ("approximate", "changed in float"), ("float", "float"))
    keys = "".join(f'<span class="key {kind}">{text}</span> ' for kind, text in kinds)
    return f'<p class="about">{keys}in the order of execution</p>'


def _stem(name: str) -> str:
    return name.split("~")[0]


def _kind(node: Mapping[str, Any], form: str) -> str:
    if node["op"].startswith(INTEGER) or node["output"].startswith(("int8", "uint8", "int16", "uint16")):
        return "integer"
    return "approximate" if form not in ("", "float32") else "float"


def _box(index: int, node: Mapping[str, Any], form: str) -> str:
    top, kind = ROW * index + 4, _kind(node, form)
    title = escape(f"{node['op']} '{node['name']}': {node['output']}{f', {form}' if form else ''}")
    text = node["op"] + (f" {form}" if form and form != "float32" else "")
    name = _short(_stem(node["name"]), LETTERS - len(text))
    box = f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - 4}" height="{ROW - 8}" rx="4"/>'
    label = f'<text x="{LEFT + 8}" y="{top + 15}" class="on">{escape(text)} <tspan class="soft">{escape(name)}</tspan></text>'
    return f"<g>{box}{label}<title>{title}</title></g>"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[len(text) - max(1, most) + 1 :]}"


def _line(source: int, index: int) -> str:
    """Straight to the next node; around those between them, the further the longer."""
    begin, end = ROW * source + ROW - 4, ROW * index + 4
    if index == source + 1:
        return f'<path class="edge" d="M{LEFT + 20} {begin}V{end}"/>'
    out = max(6, LEFT - STEP * min(12, 1 + (index - source)))
    top, bottom = begin - ROW // 2 + 2, end + ROW // 2 - 2
    down, back = f"H{out + 6}Q{out} {top} {out} {top + 6}V{bottom - 6}", f"Q{out} {bottom} {out + 6} {bottom}H{LEFT}"
    return f'<path class="edge" d="M{LEFT} {top}{down}{back}"/>'


HIGH, UNDER = 150, 20  # of the arena, and of the line below it
LEGIBLE = (60, 14)  # width and height of a block that has room for its size


def timeline(buffers: Sequence[Sequence[int]], steps: int, arena: int) -> str:
    """The arena over the steps: each buffer (offset, size, first, last) from its first step to its last; "" without any."""
    if not buffers or not arena:
        return ""
    scale = WIDTH / max(1, steps), HIGH / arena
    blocks = [_block(i, buffer, _seen(buffer, buffers[i + 1 :]), *scale) for i, buffer in enumerate(buffers)]
    below = HIGH + 14
    axis = (
        f'<text x="0" y="{below}">step 0</text><text x="{WIDTH}" y="{below}" text-anchor="end">{steps - 1}</text>'
        f'<text x="{WIDTH / 2:.0f}" y="{below}" text-anchor="middle">{arena:,} bytes high</text>'
    )
    border = f'<path class="edge" d="M0 0H{WIDTH}V{HIGH}H0Z"/>'
    body = "".join([border, *blocks, axis])
    return f'<svg viewBox="0 0 {WIDTH} {HIGH + UNDER}" role="img" style="max-width:44rem">{body}</svg>'


def _seen(buffer: Sequence[int], later: Sequence[Sequence[int]]) -> int:
    """The last step in which no ``later`` buffer is drawn over this one: a result may lie where its operand was."""
    offset, size, first, last = buffer
    over = [begin for at, bytes_, begin, _ in later if at < offset + size and offset < at + bytes_]
    return min([last, *(begin - 1 for begin in over if begin > first)])


def _block(index: int, buffer: Sequence[int], seen: int, wide: float, high: float) -> str:
    """A buffer: ``wide`` is a step, ``high`` a byte. Its size stands in it where there is room in the steps that are ``seen``."""
    offset, size, first, last = buffer
    x, width, height = wide * first, wide * (last - first + 1), max(0.5, high * size)
    y, room = HIGH - high * (offset + size), wide * (seen - first + 1)
    title = f"<title>{size:,} bytes at {offset:,}, steps {first} to {last}</title>"
    place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
    made = f'<rect class="{"after" if index % 2 else "before"} frame" {place}>{title}</rect>'
    if room < LEGIBLE[0] or height < LEGIBLE[1]:
        return made
    middle = f'x="{x + room / 2:.1f}" y="{y + height / 2 + 4:.1f}" text-anchor="middle"'
    return f'<g>{made}<text class="on" {middle}>{size:,}</text></g>'
