"""Einsum of one or two operands: a sum of products over the labels that the output does not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Site
from edgeopt.kernels.emit.elements import loader, scalar, static, storer
from edgeopt.kernels.walk.strided import locate, merge, outer, row_major


@cache
def _kernel(dtype: str, both: bool) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)

    def kernel(
        x: Any, z: Any, y: Any, begin: Any, end: Any, d1: Any, d2: Any, d3: Any,
        x0: Any, x1: Any, x2: Any, x3: Any, z0: Any, z1: Any, z2: Any, z3: Any,
        r0: Any, r1: Any, r2: Any, u0: Any, u1: Any, u2: Any, v0: Any, v1: Any, v2: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            left = locate(chunk, d1, d2, d3, x0, x1, x2, x3)
            right = locate(chunk, d1, d2, d3, z0, z1, z2, z3)
            total = kind(0)
            for a in range(r0):
                for b in range(r1):
                    for c in range(r2):
                        value = load(x, left + a * u0 + b * u1 + c * u2)
                        if both:
                            value = kind(value * load(z, right + a * v0 + b * v1 + c * v2))
                        total = kind(total + value)
            store(y, chunk, total)

    return kernel


def _labels(equation: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """Labels of every operand and of the output; the dimensions of an ellipsis are labelled by numbers from the right."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = []
    for term, rank in zip(left.split(","), ranks, strict=True):
        missing = rank - len(term.replace("...", ""))
        head, dots, tail = term.partition("...")
        terms.append([*head, *(str(i) for i in range(missing, 0, -1)), *tail] if dots else list(head))
    longest = max((t for t in terms), key=lambda t: sum(c.isdigit() for c in t))
    dotted = [c for c in longest if c.isdigit()]
    if not arrow:
        letters = sorted(c for c in set("".join(left)) if c.isalpha() and left.count(c) == 1)
        return terms, [*dotted, *letters]
    head, dots, tail = right.partition("...")
    return terms, [*head, *(dotted if dots else []), *tail]


def _strides(labels: Sequence[str], term: Sequence[str], shape: Sequence[int]) -> list[int]:
    """Stride of the operand along each label; a repeated label walks the diagonal, an extent of 1 is broadcast."""
    steps = row_major(shape)
    return [sum(s for t, s, e in zip(term, steps, shape, strict=True) if t == label and e != 1) for label in labels]


def _select(site: Site) -> tuple[KernelCall, ...]:
    inputs = [site.given(i) for i in range(len(site.inputs))]
    static(*inputs)
    if len(inputs) > 2:
        raise Declined("more than two operands")
    terms, result = _labels(site.node.text("equation", ""), [len(t.shape) for t in inputs])
    extents: dict[str, int] = {}
    for term, tensor in zip(terms, inputs, strict=True):
        for label, extent in zip(term, tensor.shape, strict=True):
            extents[label] = max(extents.get(label, 1), extent)
    summed = [label for label in extents if label not in result]
    kept_steps = [_strides(result, t, x.shape) for t, x in zip(terms, inputs, strict=True)]
    summed_steps = [_strides(summed, t, x.shape) for t, x in zip(terms, inputs, strict=True)]
    kept, kept_merged = outer([extents[k] for k in result], *kept_steps)
    inner, inner_merged = merge([extents[k] for k in summed], *summed_steps)
    missing = 3 - len(inner)
    if missing < 0:
        raise Declined("more than three independent summed dimensions")
    walk = [[0] * missing + m for m in inner_merged]
    key = (inputs[0].type.dtype, len(inputs) == 2)
    operands: tuple[Operand, ...] = (Input(0), Input(len(inputs) - 1), Output(0))
    constants = (*kept[1:], *kept_merged[0], *kept_merged[-1], *(1,) * missing, *inner, *walk[0], *walk[-1])
    return (KernelCall(_kernel(*key), operands, constants, prod(kept)),)


KERNEL = Kernel("einsum", ("Einsum",), _select)
