"""Finds a C compiler for a target among those installed, links with it, and writes static archives without one."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.target import Target, host

_NAMES = {"aarch64": "aarch64-linux-gnu", "armv7": "arm-linux-gnueabihf", "x86_64": "x86_64-linux-gnu"}  # GNU and zig
_BARE = {"thumb": "arm-none-eabi", "riscv32": "riscv64-unknown-elf"}  # GNU names; one RISC-V compiler serves both widths
TIMEOUT = 600  # seconds; ziglang builds its C library at the first link


def prefix(target: Target) -> str:
    """The GNU name of the target's architecture, such as ``aarch64-linux-gnu``."""
    architecture = target.architecture
    bare = next((name for start, name in _BARE.items() if architecture.startswith(start)), architecture)
    return _NAMES.get(architecture, bare)


def bare_flags(target: Target) -> list[str]:
    """What a GNU compiler has to be told of a microcontroller: processor and ABI of floats; nothing of other targets."""
    if target.architecture.startswith("thumb"):
        floats = "hard" if target.triple.endswith("eabihf") else "soft"
        return ["-mthumb", f"-mcpu={target.cpu}", f"-mfloat-abi={floats}"]
    if target.architecture == "riscv32":
        letters = "".join(letter for letter in "imafdc" if letter == "i" or f"+{letter}" in target.features.split(","))
        return [f"-march=rv32{letters}", "-mabi=ilp32", "--specs=picolibc.specs"]
    return []


def is_native(target: Target) -> bool:
    """Whether this machine's own tools make the target's code. It need not run here: that asks for instruction sets too."""
    return target.architecture == host().architecture


def compiler(target: Target) -> list[str] | None:
    """The command of a C compiler for ``target``, or None: GCC for the target, the host's for the host, clang, or ziglang."""
    cross = shutil.which(f"{prefix(target)}-gcc")
    if cross:
        return [cross]
    native = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if is_native(target) and native:
        return [native]
    if target.bare:
        return None
    if shutil.which("clang") and shutil.which("ld.lld"):
        return ["clang", f"--target={target.triple}", "-fuse-ld=lld"]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", _NAMES.get(target.triple.split("-")[0], target.triple)]
    return None


def missing(target: Target) -> str:
    """What to install when ``compiler`` finds nothing."""
    package = f"gcc-{prefix(target)}"
    if target.bare:
        library = {"arm-none-eabi": "libnewlib-arm-none-eabi", "riscv64-unknown-elf": "picolibc-riscv64-unknown-elf"}
        return f"no C compiler for {target.triple} was found; install Debian's {package} and {library.get(prefix(target), '')}"
    return f"no C compiler for {target.triple} was found; install Debian's {package}, or clang and lld, or pip's ziglang"


def shared_library(code: bytes, target: Target) -> bytes | None:
    """The object file ``code`` linked to a shared library, or None when no compiler for ``target`` is installed."""
    command = compiler(target)
    if command is None or target.bare:
        return None
    with tempfile.TemporaryDirectory(prefix="edgeopt-") as folder:
        made, given = Path(folder) / "libmodel.so", Path(folder) / "model.o"
        given.write_bytes(code)
        invoke([*command, "-shared", "-o", str(made), str(given), "-lm"], Path(folder))
        return made.read_bytes()


def invoke(command: list[str], folder: Path) -> None:
    """Run a tool in ``folder``. Raises EdgeoptError with its last words when it fails."""
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EdgeoptError(f"cannot run '{command[0]}': {error}") from error
    if result.returncode:
        raise EdgeoptError(f"'{' '.join(command[:3])} ...' failed with {result.returncode}: {result.stderr.strip()[-500:]}")


def archive(member: str, data: bytes, symbols: list[str]) -> bytes:
    """A static library (System V ar format) that holds one object file and the index of its ``symbols``."""
    names = b"".join(s.encode() + b"\0" for s in symbols)
    names += b"\0" * (len(names) % 2)
    size = 4 + 4 * len(symbols) + len(names)
    at = len(_MAGIC) + _HEADER_BYTES + size
    index = struct.pack(f">{1 + len(symbols)}I", len(symbols), *[at] * len(symbols)) + names
    return _MAGIC + _member("/", index) + _member(f"{member}/", data)


_MAGIC, _HEADER_BYTES = b"!<arch>\n", 60


def _member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(data):<10}`\n".encode()
    return header + data + (b"\n" if len(data) % 2 else b"")
