"""Functions of the header that turn floats into the codes of inputs, and the codes of outputs into floats."""

from __future__ import annotations

import numpy as np

from edgeopt.codegen.c_types import c_type, known
from edgeopt.lower.program import Binding, Program


def conversions(program: Program) -> str:
    """The functions for inputs and outputs that hold codes; nothing where there are none."""
    made = [_to_codes(program.name, i, b) for i, b in enumerate(program.inputs) if b.codes is not None]
    made += [_to_reals(program.name, i, b) for i, b in enumerate(program.outputs) if b.codes is not None]
    return "\n".join([*made, ""])


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
