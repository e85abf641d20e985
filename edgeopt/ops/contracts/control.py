"""If, Loop and Scan: conditions and counts are single numbers of their types, sequences are equally long.

Their bodies are judged node by node where they are lowered.
"""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands


def _if(operands: Operands) -> None:
    operands.single(0)


def _loop(operands: Operands) -> None:
    """Trip count and condition, either of which may be left out, then states."""
    for index, dtype in enumerate(("int64", "bool")):
        if operands.given(index):
            operands.typed(index, dtype)
            operands.single(index)


def _scan(operands: Operands) -> None:
    """Sequences, the last inputs, have as many elements along their axes."""
    count = operands.node.integer("num_scan_inputs", 1)
    operands.need(0 < count <= operands.count, f"num_scan_inputs is {count}, it has {operands.count} inputs")
    first = operands.count - count
    axes = operands.node.integers("scan_input_axes") or (0,) * count
    operands.need(len(axes) == count, f"scan_input_axes has {len(axes)} axes for {count} sequences")
    lengths = []
    for index, axis in enumerate(axes, first):
        shape = operands.shape(index)
        lengths.append(shape[operands.axis(axis, len(shape))])
    operands.need(len(set(lengths)) == 1, f"its sequences have {lengths} elements")


RULES = {"If": _if, "Loop": _loop, "Scan": _scan}
