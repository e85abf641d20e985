"""What a firmware project takes besides the library: weights as C, a header of the model's own name, build files, Rust."""

from __future__ import annotations

from collections.abc import Iterator

from edgeopt.codegen.c_types import c_type, known, literal
from edgeopt.codegen.initial import file_of
from edgeopt.codegen.stream_header import streaming_in_rust
from edgeopt.lower.program import Binding, Program

IN_LINE = 32  # bytes in a line of C
RUST = {"float": "f32", "double": "f64"}


def firmware_files(program: Program, header: str) -> dict[str, bytes]:
    """The files by name: ``NAME.h`` is ``header`` with the weights declared, and ``model.h`` includes it."""
    name = program.name
    files = {
        f"{name}.h": _with_weights(program, header),
        "model.h": f'#include "{name}.h"\n',
        f"{name}_weights.c": "\n".join(_weights(program)),
        "CMakeLists.txt": _cmake(name),
        f"{name}.pc": _pkg_config(name),
        f"{name}.rs": _rust(program),
    }
    return {file: text.encode() for file, text in files.items()}


def _with_weights(program: Program, header: str) -> str:
    name, upper = program.name, program.name.upper()
    about = f"""/* The bytes of weights.bin, in {name}_weights.c. Where they lie is said by {upper}_WEIGHTS_SECTION, for instance
   -D{upper}_WEIGHTS_SECTION='__attribute__((section(".qspi")))'. */
extern const unsigned char {name}_weights[];

"""
    mark = "#ifdef __cplusplus\n}"
    return header.replace(mark, about + mark)


def _weights(program: Program) -> Iterator[str]:
    name, upper, data = program.name, program.name.upper(), bytes(file_of(program))
    yield f'#include "{name}.h"\n#ifndef {upper}_WEIGHTS_SECTION\n#define {upper}_WEIGHTS_SECTION\n#endif'
    yield f"__attribute__((aligned({upper}_ALIGNMENT))) {upper}_WEIGHTS_SECTION"
    yield f"const unsigned char {name}_weights[{max(1, len(data))}] = {{"
    for first in range(0, len(data), IN_LINE):
        yield "".join(f"{byte}," for byte in data[first : first + IN_LINE])
    yield "};\n"


def _cmake(name: str) -> str:
    return f"""# add_subdirectory(DIR) and target_link_libraries(firmware {name})
cmake_minimum_required(VERSION 3.13)
add_library({name} STATIC {name}_weights.c)
target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_LIST_DIR}})
target_link_libraries({name} PUBLIC ${{CMAKE_CURRENT_LIST_DIR}}/libmodel.a m)
"""


def _pkg_config(name: str) -> str:
    return f"""prefix=${{pcfiledir}}
Name: {name}
Description: a compiled neural network
Version: 1
Cflags: -I${{prefix}}
Libs: ${{prefix}}/libmodel.a -lm
"""


def _rust(program: Program) -> str:
    """Declarations of the C functions, as a -sys crate has them."""
    name, upper = program.name, program.name.upper()
    sizes = [*_elements(upper, "INPUT", program.inputs), *_elements(upper, "OUTPUT", program.outputs)]
    return f"""//! The C interface of {name}; link libmodel.a, and {name}_weights.c for the weights.
#![allow(non_upper_case_globals)]
use core::ffi::{{c_int, c_uchar, c_void}};

{chr(10).join(sizes)}

extern "C" {{
    pub static {name}_arena_bytes: usize;
    pub static {name}_weights_bytes: usize;
    pub static {name}_weights: [c_uchar; 0];
    pub fn {name}_init(file: *const c_void, bytes: usize, weights: *mut c_void) -> c_int;
    pub fn {name}_run(
        inputs: *const *const c_void,
        outputs: *const *mut c_void,
        arena: *mut c_void,
        weights: *const c_void,
    ) -> c_int;
{streaming_in_rust(program)}}}
"""


def _elements(upper: str, kind: str, bindings: list[Binding]) -> Iterator[str]:
    for index, binding in enumerate(bindings):
        type_ = known(binding)
        count = 1
        for dim in type_.dims:
            count *= dim
        kind_of = c_type(type_.dtype)
        word = RUST.get(kind_of) or kind_of.removesuffix("_t").replace("uint", "u").replace("int", "i")
        yield f"/// Elements of type {word}\npub const {upper}_{kind}_{index}_ELEMENTS: usize = {count};"
        if binding.offset is not None:
            yield f"/// Bytes into the arena, where it lies\npub const {upper}_{kind}_{index}_OFFSET: usize = {binding.offset};"
        if binding.codes is not None:
            scale = literal(binding.codes.scale).removesuffix("f")
            yield "/// What a code, counted from the zero point, stands for"
            yield f"pub const {upper}_{kind}_{index}_SCALE: f32 = {scale};"
            yield f"pub const {upper}_{kind}_{index}_ZERO_POINT: i32 = {binding.codes.zero};"
