"""Instruction sets: which ones a processor's code may use, and which of them this machine lacks, by LLVM's own tables.

LLVM keeps the features of its processors to itself, but its inliner asks them: a function goes into its caller only when the
caller has every feature of it. Functions for the processor with one feature more, called by one for the processor as it is,
tell what it has.
"""

from __future__ import annotations

import re
from functools import cache

import llvmlite.binding as llvm

# Instructions that code generation never chooses by itself: of the operating system, of ciphers, of transactions.
_SYSTEM = set(
    "aes amx-avx512 amx-bf16 amx-complex amx-fp16 amx-fp8 amx-int8 amx-movrs amx-tf32 amx-tile amx-transpose cldemote clflushopt "
    "clwb clzero cmpccxadd crc crc32 crypto enqcmd fsgsbase fxsr hreset invpcid kl lwp movdir64b movdiri mwaitx movrs pclmul "
    "pconfig pku prefetchi prfchw ptwrite raoint rdpid rdpru rdrnd rdseed rtm sahf serialize sgx sha sha2 sha3 sha512 shstk sm3 "
    "sm4 tsxldtrk uintr usermsr vaes vpclmulqdq waitpkg wbnoinvd widekl xsave xsavec xsaveopt xsaves".split()
)


def architecture(triple: str) -> str:
    """The first word of a triple, such as ``x86_64``."""
    return triple.split("-")[0]


def normalised(triple: str) -> str:
    """``triple`` with a vendor: ``thumbv7em-none-eabihf`` would be read as an environment in place of a system, and silently

    compiled for another ABI of floats."""
    parts = triple.split("-")
    return "-".join([parts[0], "unknown", *parts[1:]]) if len(parts) == 3 and parts[1] == "none" else triple


def lacking(triple: str, cpu: str, features: str) -> tuple[str, ...]:
    """The features that code for this processor may use and this machine lacks.

    All code of another architecture is lacking; then the answer is that architecture.
    """
    here = llvm.get_process_triple()
    if architecture(triple) != architecture(here):
        return (architecture(triple),)
    present = llvm.get_host_cpu_features()
    if features == present.flatten() and cpu == llvm.get_host_cpu_name():
        return ()
    wanted = {word[1:] for word in features.split(",") if word.startswith("+")}
    asked = tuple(sorted((set(present) | wanted) - _SYSTEM))
    return tuple(f for f in demanded(here, cpu, features, asked) if not present.get(f, False))


@cache
def demanded(triple: str, cpu: str, features: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Those features of ``asked`` that code for the processor may use, the ones that follow from others included."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features)
    module = llvm.parse_assembly(_questions(triple, cpu, features, asked))
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    refused = {int(number) for number in re.findall(r"call [a-z ]*void @feature_(\d+)\(", str(module))}
    return tuple(feature for number, feature in enumerate(asked) if number not in refused)


def _questions(triple: str, cpu: str, features: str, asked: tuple[str, ...]) -> str:
    def kind(number: int, more: str) -> str:
        return f'attributes #{number} = {{ "target-cpu"="{cpu}" "target-features"="{",".join(filter(None, (features, more)))}" }}'

    lines = [f'target triple = "{triple}"', kind(len(asked), "")]
    for number, feature in enumerate(asked):
        lines.append(kind(number, f"+{feature}"))
        lines.append(
            f"define internal void @feature_{number}(ptr %p) #{number} {{\n  store volatile i32 0, ptr %p\n  ret void\n}}"
        )
    calls = "\n".join(f"  call void @feature_{number}(ptr %p)" for number in range(len(asked)))
    lines.append(f"define void @processor(ptr %p) #{len(asked)} {{\n{calls}\n  ret void\n}}")
    return "\n".join(lines)
