"""What headers say of an input that comes in row by row: the C functions, and how Rust declares them."""

from __future__ import annotations

from edgeopt.lower.program import Program


def streaming(program: Program) -> str:
    """The functions of the C header; nothing where the input is read at once."""
    if program.stream is None:
        return ""
    name, port, first = program.name, f"{program.name.upper()}_INPUT_0", program.stream.bands[0]
    return f"""
#define {port}_ROWS {first.height}
#define {port}_ROW_BYTES {first.row_bytes}

/* The same for an input that comes in row by row, from the top, and lies nowhere as a whole: begin, then rows until there were
   {port}_ROWS, then end. {name}_stream_rows takes count rows of {port}_ROW_BYTES at once, stride bytes
   apart (of a larger picture, the bytes of its rows), and computes what can be computed of them. Between the calls the arena
   holds what the next ones need. {name.upper()}_ERROR_ROWS: there are more rows than that, or too few at the end. */
int {name}_stream_begin(void *arena);
int {name}_stream_rows(const void *rows, size_t count, size_t stride, void *arena, const void *weights);
int {name}_stream_end(void *const *outputs, void *arena, const void *weights);
"""


def streaming_in_rust(program: Program) -> str:
    """The same as declarations inside an ``extern`` block."""
    if program.stream is None:
        return ""
    name = program.name
    return f"""    pub fn {name}_stream_begin(arena: *mut c_void) -> c_int;
    pub fn {name}_stream_rows(
        rows: *const c_void,
        count: usize,
        stride: usize,
        arena: *mut c_void,
        weights: *const c_void,
    ) -> c_int;
    pub fn {name}_stream_end(outputs: *const *mut c_void, arena: *mut c_void, weights: *const c_void) -> c_int;
"""
