"""A C file that runs a library for microcontrollers on one stored sample and compares with what was computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.codegen.c_types import c_type, literal
from edgeopt.codegen.header import weights_in_flash
from edgeopt.ir import Array
from edgeopt.runtime.firmware import in_arena, streamed_rows
from edgeopt.runtime.manifest import Manifest

IN_LINE = 16  # numbers in a line of C
TOLERANCE = 1e-4  # of the largest value, for floats, which libm rounds otherwise


def self_test(manifest: Manifest, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> str:
    """The text of ``NAME_self_test.c`` for one sample (``inputs``) and what the network makes of it (``outputs``).

    ``NAME_self_test`` returns 0, the error of ``NAME_run``, or 100 and the number of the first output that differs.
    """
    name, upper, placed = manifest["name"], manifest["name"].upper(), in_arena(manifest)
    ins = [inputs[port["name"]] for port in manifest["inputs"]]
    outs = [outputs[port["name"]] for port in manifest["outputs"]]
    stored = [_stored(f"input_{i}", array) for i, array in enumerate(ins)]
    stored += [_stored(f"expected_{i}", array) for i, array in enumerate(outs)]
    arrays = [_made(upper, i, array, placed) for i, array in enumerate(outs)]
    copied = ins if placed and streamed_rows(manifest) is None else []
    copies = [f"  memcpy(arena + {upper}_INPUT_{i}_OFFSET, input_{i}, sizeof input_{i});" for i, _ in enumerate(copied)]
    checks = [f"  if (differs_{i}()) return {100 + i};" for i, _ in enumerate(outs)]
    functions = [_compared(i, array) for i, array in enumerate(outs)]
    arena = f"static _Alignas({upper}_ALIGNMENT) unsigned char arena[{upper}_ARENA_BYTES + 1];\n"
    lines = [_head(name), arena, weights_in_flash(name), *stored, *arrays, *functions]
    lines += [f"int {name}_self_test(void) {{", f"  const void *inputs[] = {{{_listed('input', ins)}}};"]
    lines += [f"  void *outputs[] = {{{_listed('output', outs)}}};", "  const void *constants = weights();", *copies]
    lines += ["  if (!constants) return 99;", f"  int code = {name}_run(inputs, outputs, arena, constants);"]
    return "\n".join([*lines, "  if (code) return code;", *checks, "  return 0;", "}", "", _MAIN.format(name=name, upper=upper)])


def _head(name: str) -> str:
    return f"""/* Runs {name} on a stored sample. {name}_self_test() is 0 where the outputs are what they should be, otherwise
   the error of {name}_run, or 100 and the number of an output that differs. Compile it with
   {name}_weights.c, link libmodel.a and -lm. */
#include "{name}.h"
#include <string.h>
"""


_MAIN = """#ifndef {upper}_SELF_TEST_WITHOUT_MAIN
int main(void) {{ return {name}_self_test(); }}
#endif
"""


def _stored(name: str, array: Array) -> str:
    kind, numbers = c_type(array.dtype.name), [_number(value) for value in array.reshape(-1)]
    lines = [", ".join(numbers[i : i + IN_LINE]) for i in range(0, len(numbers), IN_LINE)]
    return f"static const {kind} {name}[] = {{\n  {(',' + chr(10) + '  ').join(lines) or '0'}\n}};"


def _number(value: np.generic) -> str:
    if not isinstance(value, np.floating):
        return str(int(value))
    return (
        literal(float(value))
        if np.isfinite(value)
        else "(0.0f / 0.0f)"
        if np.isnan(value)
        else f"({'-' * bool(value < 0)}1.0f / 0.0f)"
    )


def _made(upper: str, index: int, array: Array, placed: bool) -> str:
    kind = c_type(array.dtype.name)
    if placed:
        return f"#define output_{index} (({kind} *)(arena + {upper}_OUTPUT_{index}_OFFSET))"
    return f"static {kind} output_{index}[{max(1, array.size)}];"


def _compared(index: int, array: Array) -> str:
    """Codes have to be equal; floats may be rounded otherwise."""
    finite = np.abs(array[np.isfinite(array)]) if array.dtype.kind == "f" else np.zeros(0)
    bound = literal(TOLERANCE * float(finite.max(initial=0.0)))
    difference = f"output_{index}[i] - expected_{index}[i]"
    same = f"output_{index}[i] == expected_{index}[i]"
    if array.dtype.kind == "f":
        same += f" || ({difference} <= {bound} && {difference} >= -{bound})"
    return f"""
static int differs_{index}(void) {{
  for (size_t i = 0; i < {array.size}; i++)
    if (!({same})) return 1;
  return 0;
}}
"""


def _listed(kind: str, arrays: Sequence[Array]) -> str:
    return ", ".join(f"{kind}_{i}" for i, _ in enumerate(arrays)) or "0"
