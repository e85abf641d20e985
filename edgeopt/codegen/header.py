"""The C side of a library: ``model.h``, a complete ``example.c`` and its Makefile."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeopt.codegen.c_types import c_type, known, literal
from edgeopt.codegen.conversions import conversions
from edgeopt.codegen.entry import arena_bytes
from edgeopt.codegen.identifiers import distinct
from edgeopt.codegen.initial import ERRORS, file_of, weights_bytes
from edgeopt.codegen.stream_header import streaming
from edgeopt.ir import numpy_dtype
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.program import Binding, Program


def header(program: Program) -> str:
    """``model.h``: C99, usable from C++."""
    name, upper = program.name, program.name.upper()
    codes = ", ".join(f"{upper}_{code} = {value}" for code, value in ERRORS.items())
    descriptors = _descriptors(upper, "INPUT", program.inputs) + _descriptors(upper, "OUTPUT", program.outputs)
    return f"""#ifndef {upper}_H
#define {upper}_H
{_includes(program)}#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_ALIGNMENT {ALIGNMENT}
#define {upper}_ARENA_BYTES {arena_bytes(program)}
#define {upper}_WEIGHTS_BYTES {weights_bytes(program)}
#define {upper}_FILE_BYTES {len(file_of(program))}
#define {upper}_CODED {int(program.file is not None)} /* whether weights.bin has to be decoded */
#define {upper}_INPUTS {len(program.inputs)}
#define {upper}_OUTPUTS {len(program.outputs)}
{chr(10).join(descriptors)}

enum {{ {codes} }};

extern const size_t {name}_arena_bytes;
extern const size_t {name}_weights_bytes;

{conversions(program)}{_about_weights(program, upper)}
int {name}_init(const void *file, size_t bytes, void *weights);

/* Runs the network once. arena and weights are aligned to {upper}_ALIGNMENT; the arena {_held(program)}
   between calls, so that several threads may run with an arena each. */
int {name}_run(const void *const *inputs, void *const *outputs, void *arena, const void *weights);
{streaming(program)}
#ifdef __cplusplus
}}
#endif
#endif
"""


def _about_weights(program: Program, upper: str) -> str:
    if program.file is None:
        return f"""/* Checks the bytes of weights.bin and copies them into weights ({upper}_WEIGHTS_BYTES, aligned).
   {program.name}_run reads weights.bin itself too, from flash for instance, where it is aligned to {upper}_ALIGNMENT. */"""
    return f"""/* Checks the bytes of weights.bin ({upper}_FILE_BYTES) and decodes them into weights
   ({upper}_WEIGHTS_BYTES, aligned), the last of which it works in. It allocates nothing and takes about 36 KB of stack. */"""


def _descriptors(upper: str, kind: str, bindings: Sequence[Binding]) -> list[str]:
    words = distinct((binding.name for binding in bindings), kind.lower())
    return [_descriptor(f"{upper}_{kind}_{i}", word, b) for i, (word, b) in enumerate(zip(words, bindings, strict=True))]


def _descriptor(prefix: str, word: str, binding: Binding) -> str:
    type_ = known(binding)
    dims = type_.dims
    size = math.prod(dims) * numpy_dtype(type_.dtype).itemsize
    lines = [
        f"/* {word}: {c_type(type_.dtype)} [{', '.join(map(str, dims))}] */",
        f"#define {prefix}_ELEMENTS {math.prod(dims)}",
        f"#define {prefix}_BYTES {size}",
    ]
    lines += [f"#define {prefix}_LINES {binding.lines} /* of a picture with its channels last */"] if binding.lines else []
    if binding.codes is not None:
        lines += [f"#define {prefix}_SCALE {literal(binding.codes.scale)} /* of a code, counted from the zero point */"]
        lines += [f"#define {prefix}_ZERO_POINT ({binding.codes.zero})"]
    if binding.offset is not None:
        lines += [f"#define {prefix}_OFFSET {binding.offset} /* bytes into the arena, where it lies */"]
    return "\n".join(lines)


def _includes(program: Program) -> str:
    """What functions that fill inputs need besides."""
    math = "#include <math.h>\n" if any(port.codes is not None for port in program.inputs) else ""
    return math + ("#include <string.h>\n" if any(port.lines for port in program.inputs) else "")


def _held(program: Program) -> str:
    """What is said of the arena."""
    if all(port.offset is None for port in (*program.inputs, *program.outputs)):
        return "needs no preparation and holds nothing"
    if program.stream is not None:
        return "holds outputs after the call, and nothing else"
    return """holds inputs before the call, which are
   overwritten, and outputs after it (the pointers to inputs and outputs may be null), and nothing else"""


def weights_in_flash(name: str) -> str:
    """A C function that gives the weights where they lie, or decoded once where they are stored in code; null if damaged."""
    upper = name.upper()
    return f"""#if !{upper}_CODED
static const void *weights(void) {{ return {name}_weights; }}
#else
static const void *weights(void) {{
  static _Alignas({upper}_ALIGNMENT) unsigned char decoded[{upper}_WEIGHTS_BYTES];
  return {name}_init({name}_weights, {upper}_FILE_BYTES, decoded) ? 0 : decoded;
}}
#endif
"""


def example(program: Program, flash: bool = False) -> str:
    """``example.c``: reads weights.bin and one raw file per input, writes one raw file per output.

    With ``flash`` weights are linked into the program, and read where they lie.
    """
    upper = program.name.upper()
    ins = [_buffer(upper, "input", i, b) for i, b in enumerate(program.inputs)]
    outs = [_buffer(upper, "output", i, b) for i, b in enumerate(program.outputs)]
    weights = "" if flash else "WEIGHTS "
    return f"""/* usage: example {weights}INPUT... OUTPUT...   (raw little-endian files; one argument per input and output) */
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

static _Alignas({upper}_ALIGNMENT) unsigned char arena[{upper}_ARENA_BYTES + 1];
{weights_in_flash(program.name) if flash else _loaded(upper)}
{chr(10).join(ins)}
{chr(10).join(outs)}
{_FILES}
{_main(program, flash)}"""


def _loaded(upper: str) -> str:
    return f"""static _Alignas({upper}_ALIGNMENT) unsigned char weights[{upper}_WEIGHTS_BYTES + 1];
static unsigned char file[{upper}_FILE_BYTES + 1];"""


_FILES = """
static size_t read_file(const char *path, void *data, size_t size) {
  FILE *stream = fopen(path, "rb");
  if (!stream) { perror(path); exit(1); }
  size = fread(data, 1, size, stream);
  fclose(stream);
  return size;
}

static void write_file(const char *path, const void *data, size_t size) {
  FILE *stream = fopen(path, "wb");
  if (!stream || fwrite(data, 1, size, stream) != size || fclose(stream)) { perror(path); exit(1); }
}
"""


def _main(program: Program, flash: bool) -> str:
    name, upper = program.name, program.name.upper()
    in_bytes, out_bytes = _sizes(upper, "INPUT", program.inputs), _sizes(upper, "OUTPUT", program.outputs)
    usage, first = ("", 1) if flash else ("WEIGHTS ", 2)
    ready = f"{name}_init(file, read_file(argv[1], file, {upper}_FILE_BYTES + 1), weights)"
    there = f"const void *constants = weights();\n  int code = constants ? 0 : {upper}_ERROR_CHECKSUM"
    start, constants = (there, "constants") if flash else (f"int code = {ready}", "weights")
    return f"""int main(int argc, char **argv) {{
  const void *inputs[] = {{{_listed("input_{}", program.inputs)}}};
  void *outputs[] = {{{_listed("output_{}", program.outputs)}}};
  const size_t in_bytes[] = {{{in_bytes}}}, out_bytes[] = {{{out_bytes}}};
  if (argc != {first} + {upper}_INPUTS + {upper}_OUTPUTS) {{
    fprintf(stderr, "usage: %s {usage}INPUT... OUTPUT...\\n", argv[0]);
    return 2;
  }}
  {start};
  for (int i = 0; i < {upper}_INPUTS && !code; i++)
    if (read_file(argv[{first} + i], (void *)(size_t)inputs[i], in_bytes[i]) != in_bytes[i]) code = {upper}_ERROR_SIZE;
  if (!code) code = {name}_run(inputs, outputs, arena, {constants});
  if (code) {{ fprintf(stderr, "{name}: error %d\\n", code); return 1; }}
  for (int i = 0; i < {upper}_OUTPUTS; i++) write_file(argv[{first} + {upper}_INPUTS + i], outputs[i], out_bytes[i]);
  return 0;
}}
"""


def _sizes(upper: str, kind: str, bindings: Sequence[Binding]) -> str:
    return _listed(f"{upper}_{kind}_{{}}_BYTES", bindings)


def _listed(form: str, bindings: Sequence[Binding]) -> str:
    return ", ".join(form.format(i) for i in range(len(bindings))) or "0"  # C has no empty arrays


def _buffer(upper: str, kind: str, index: int, binding: Binding) -> str:
    type_ = known(binding)
    if binding.offset is not None:
        return f"#define {kind}_{index} (({c_type(type_.dtype)} *)(arena + {upper}_{kind.upper()}_{index}_OFFSET))"
    return f"static {c_type(type_.dtype)} {kind}_{index}[{max(1, math.prod(type_.dims))}];"


def makefile(compiler: str, flags: Sequence[str] = (), more: str = "") -> str:
    """A Makefile that builds the example, of ``more`` C too; ``CC`` overrides the compiler, ``flags`` say what it is for."""
    machine, sources = "".join(f" {flag}" for flag in flags), f"example.c {more}".strip()
    return f"""CC ?= {compiler}
ifeq ($(origin CC),default)
CC = {compiler}
endif
CFLAGS ?= -O2 -std=c11 -Wall -Wextra -Werror{machine}

example: {sources} model.h libmodel.a
\t$(CC) $(CFLAGS) -o $@ {sources} libmodel.a -lm

clean:
\trm -f example

.PHONY: clean
"""
