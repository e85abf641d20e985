"""Functions of the header that fill inputs and read outputs: codes of floats, floats of codes, a region of a larger picture."""

from __future__ import annotations

import numpy as np

from edgeopt.codegen.c_types import c_type, known
from edgeopt.lower.program import Binding, Program


def conversions(program: Program) -> str:
    """The functions for inputs and outputs that hold codes, and for pictures; nothing where there are none."""
    made = [_to_codes(program.name, i, b) for i, b in enumerate(program.inputs) if b.codes is not None]
    made += [_to_reals(program.name, i, b) for i, b in enumerate(program.outputs) if b.codes is not None]
    made += [_region(program.name, i, b) for i, b in enumerate(program.inputs) if b.lines]
    return "\n".join([*made, ""])


def _region(name: str, index: int, binding: Binding) -> str:
    """What lies around the region is a matter of where it begins and how far apart the lines are."""
    kind, port = c_type(known(binding).dtype), f"{name.upper()}_INPUT_{index}"
    return f"""/* Copies a region of a picture with its channels last: from is its first pixel, lines are stride bytes apart. */
static inline void {name}_input_{index}_region(const {kind} *from, size_t stride, {kind} *to) {{
  const size_t line = {port}_BYTES / {port}_LINES;
  for (size_t i = 0; i < {port}_LINES; i++)
    memcpy((unsigned char *)to + i * line, (const unsigned char *)from + i * stride, line);
}}
"""


def _to_codes(name: str, index: int, binding: Binding) -> str:
    """As QuantizeLinear has it: to the nearest code, halves to the even one."""
    dtype, port = known(binding).dtype, f"{name.upper()}_INPUT_{index}"
    limits = np.iinfo(dtype)
    return f"""/* The codes of {port}_ELEMENTS real numbers. */
static inline void {name}_input_{index}_codes(const float *from, {c_type(dtype)} *to) {{
  for (size_t i = 0; i < {port}_ELEMENTS; i++) {{
    float code = rintf(from[i] / {port}_SCALE) + {port}_ZERO_POINT;
    to[i] = ({c_type(dtype)})(code < {limits.min} ? {limits.min} : code > {limits.max} ? {limits.max} : code);
  }}
}}
"""


def _to_reals(name: str, index: int, binding: Binding) -> str:
    dtype, port = known(binding).dtype, f"{name.upper()}_OUTPUT_{index}"
    return f"""/* The real numbers that {port}_ELEMENTS codes stand for. */
static inline void {name}_output_{index}_reals(const {c_type(dtype)} *from, float *to) {{
  for (size_t i = 0; i < {port}_ELEMENTS; i++) to[i] = (float)(from[i] - {port}_ZERO_POINT) * {port}_SCALE;
}}
"""
