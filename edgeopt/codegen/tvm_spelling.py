"""What TIR cannot say, spelled out in the LLVM IR that TVM's code generator makes of translated kernels.

It stands there as calls of ``written.*``: floats that are rounded as they are written, intrinsics of memory, fences. Loops whose
index is called ``kept`` are marked as not to be unrolled. Whole numbers of 32 bits, and vectors of any, may wrap around.
"""

from __future__ import annotations

import re

_EXACT = re.compile(r"call (?:[a-z]+ )*(<\d+ x \w+>|float|double) @written\.(f\w+)\.\w+\(\1 (.*), \1 (.*)\)$", re.MULTILINE)
_WRAPPED = re.compile(r"\b(add|sub|mul|shl)(?: nuw| nsw)+ (?=<|i32|i16|i8)")
_LATCH = re.compile(r"^(for_next_kept\w*:.*?br label %for_begin_kept\w*)$", re.MULTILINE | re.DOTALL)
_DECLARED = re.compile(r"^declare [^@\n]*@written\.(?!llvm\.).*$", re.MULTILINE)
_ASSEMBLY = re.compile(r"@written\.asm\.\w+\.x(\w*)\.x(\w*)\(")
_PHRASES = {
    "call void @written.fence()": 'fence syncscope("singlethread") seq_cst',
    "call void @written.turn()": 'call void asm sideeffect "", ""()',
    "@written.llvm.": "@llvm.",
}


def spelled_out(text: str) -> str:
    """``text`` without calls of ``written.*``."""
    text = _WRAPPED.sub(r"\1 ", _EXACT.sub(_exact, _DECLARED.sub("", text)))
    text = _ASSEMBLY.sub(_assembly, text)
    for phrase, meaning in _PHRASES.items():
        text = text.replace(phrase, meaning)
    return _with_loops(text)


def _exact(call: re.Match[str]) -> str:
    kind, operation, a, b = call.groups()
    return f"{operation} {'' if operation == 'frem' else 'nsz '}{kind} {a}, {b}"


def _assembly(call: re.Match[str]) -> str:
    text, operands = (bytes.fromhex(part).decode() for part in call.groups())
    return f'asm "{text}", "{operands}"('


def _with_loops(text: str) -> str:
    """Every loop that is kept has a mark of its own."""
    marks: list[str] = ['!0 = !{!"llvm.loop.unroll.disable"}']

    def marked(latch: re.Match[str]) -> str:
        number = len(marks)
        marks.append(f"!{number} = distinct !{{!{number}, !0}}")
        return f"{latch[1]}, !llvm.loop !{number}"

    text = _LATCH.sub(marked, text)
    return text + "\n".join([*marks, ""]) if len(marks) > 1 else text
