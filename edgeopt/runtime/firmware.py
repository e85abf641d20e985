"""Runs a model compiled for a microcontroller on an emulated board: one program that computes all samples of a file.

The weights lie in flash and are read from there; inputs and outputs pass through semihosting. The program also paints its stack,
to tell how much of it an inference takes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgeopt.codegen.toolchain import bare_flags, compiler, invoke, missing
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.manifest import Manifest
from edgeopt.target import Target

SOURCES, HOSTED = ("semihost.h", "start.c", "link.ld"), ("hosted.h",)


@dataclass(frozen=True)
class Board:
    """A machine of qemu, and where its memory lies."""

    emulator: str
    machine: str
    flash: tuple[int, int]
    ram: tuple[int, int]


# An M3 executes what is compiled for an M0+.
_BOARDS = {
    "cortex-m0plus": Board("qemu-system-arm", "mps2-an385", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m0": Board("qemu-system-arm", "mps2-an385", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m3": Board("qemu-system-arm", "mps2-an385", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m4": Board("qemu-system-arm", "mps2-an386", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m7": Board("qemu-system-arm", "mps2-an500", (0, 4 << 20), (0x20000000, 4 << 20)),
    "cortex-m33": Board("qemu-system-arm", "mps2-an505", (0x10000000, 4 << 20), (0x38000000, 4 << 20)),
    "cortex-m55": Board("qemu-system-arm", "mps3-an547", (0, 512 << 10), (0x21000000, 2 << 20)),
}
_RISCV = Board("qemu-system-riscv32", "virt", (0x80000000, 8 << 20), (0x80800000, 64 << 20))


def board(target: Target) -> Board:
    """The machine that runs the target's code. Raises EdgeoptError where there is none, or no emulator."""
    found = _RISCV if target.architecture.startswith("riscv32") else _BOARDS.get(target.cpu)
    if found is None:
        raise EdgeoptError(f"no emulated board has a '{target.cpu}'; known are {', '.join(_BOARDS)} and riscv32")
    if shutil.which(found.emulator) is None:
        package = "qemu-system-arm" if found.emulator.endswith("arm") else "qemu-system-misc"
        raise EdgeoptError(f"no emulator for {target.triple}; install Debian's {package}")
    return found


def build(files: Mapping[str, bytes | memoryview], manifest: Manifest, target: Target, folder: Path) -> Path:
    """The program in ``folder`` that runs the model of an artifact's ``files``. Raises EdgeoptError without a compiler."""
    command = compiler(target)
    if command is None:
        raise EdgeoptError(missing(target))
    root = resources.files("edgeopt") / "runtime" / "board"
    for name in SOURCES if target.bare else HOSTED:
        text = (root / name).read_text()
        (folder / name).write_text(_placed(text, board(target)) if target.bare else text)
    for name in ("libmodel.a", "weights.bin", *(name for name in files if name.endswith(".h"))):
        (folder / name).write_bytes(files[name])
    (folder / "main.c").write_text(main_c(manifest, SOURCES[0] if target.bare else HOSTED[0]))
    bare = [*bare_flags(target), "-nostartfiles", "-static", "-Wl,--gc-sections", "-T", "link.ld", "start.c"]
    flags = ["-O2", "-std=gnu11", *(bare if target.bare else [])]
    invoke([*command, *flags, "main.c", "libmodel.a", "-lm", "-o", "program.elf"], folder)
    return folder / "program.elf"


def command(target: Target, program: Path, options: Sequence[str] = ()) -> list[str]:
    """The command that executes ``program`` on an emulated board."""
    known = board(target)
    made = [known.emulator, "-M", known.machine, "-nographic", "-monitor", "none", "-serial", "null"]
    made += ["-semihosting-config", "enable=on,target=native", *(["-bios", "none"] if known is _RISCV else [])]
    return [*made, *options, "-kernel", program.name]


def _placed(text: str, known: Board) -> str:
    values = {"@FLASH_BYTES": known.flash[1], "@RAM_BYTES": known.ram[1], "@FLASH": known.flash[0], "@RAM": known.ram[0]}
    for name, value in values.items():
        text = text.replace(name, hex(value))
    return text


def main_c(manifest: Manifest, host: str) -> str:
    """The main program: ``NAME_run`` on every sample of ``in.bin``; the stack it took goes to ``stack.bin``."""
    name, upper = manifest["name"], manifest["name"].upper()
    ins, outs = (_arrays(upper, kind, manifest[f"{kind.lower()}s"]) for kind in ("INPUT", "OUTPUT"))
    placed = in_arena(manifest)
    given, made = (", ".join(n for n, _ in arrays) or "0" for arrays in (ins, outs))
    writes = "\n    ".join(f"if (host_write(to, {n}, {size})) return 4;" for n, size in outs)
    rows = streamed_rows(manifest)
    one = [_declared(n, size, placed) for n, size in ins] if rows is None else [_declared("row", str(rows[1]), False)]
    declared = "\n".join([*one, *(_declared(n, size, placed) for n, size in outs)])
    compute = _whole(name, ins) if rows is None else _by_rows(name, *rows)
    return f"""#include "model.h"
#include "{host}"
{declared}
static _Alignas({upper}_ALIGNMENT) unsigned char arena[{upper}_ARENA_BYTES + 1];
extern const unsigned char stored[];
__asm__(".section .rodata.stored,\\"a\\"\\n.balign 64\\n.global stored\\nstored:\\n.incbin \\"weights.bin\\"\\n.byte 0\\n.text");

#if !{upper}_CODED /* read as they are, from flash */
static const void *weights(void) {{ return stored; }}
#else
static const void *weights(void) {{
  static _Alignas({upper}_ALIGNMENT) unsigned char decoded[{upper}_WEIGHTS_BYTES];
  return {name}_init(stored, {upper}_FILE_BYTES, decoded) ? 0 : decoded;
}}
#endif

int main(void) {{
  {f"const void *inputs[] = {{{given}}};" if rows is None else ""}
  void *outputs[] = {{{made}}};
  int from = host_open("in.bin", READ_BYTES), to = host_open("out.bin", WRITE_BYTES), count = host_open("stack.bin", WRITE_BYTES);
  const void *constants = weights();
  if (from < 0 || to < 0 || !constants) return 2;
  uint32_t *here = (uint32_t *)__builtin_frame_address(0) - 64;
  for (int i = 0; i < 4096; i++) *(volatile uint32_t *)(here - i) = 0xA5A5A5A5u;
  for (int sample = 0; ; sample++) {{
{compute}
    if (code) return 10 + code;
    {writes}
  }}
  int untouched = 0;
  while (untouched < 4096 && *(volatile uint32_t *)(here - 4095 + untouched) == 0xA5A5A5A5u) untouched++;
  uint32_t used = (uint32_t)(4096 - untouched + 64) * 4;
  return host_write(count, &used, sizeof used) ? 5 : 0;
}}
"""


def _whole(name: str, inputs: Sequence[tuple[str, str]]) -> str:
    """C statements that read a sample, or leave the loop, and run the network."""
    reads = " || ".join(f"host_read(from, {n}, {size})" for n, size in inputs) or "sample"
    return f"    if ({reads}) break;\n    int code = {name}_run(inputs, outputs, arena, constants);"


def _by_rows(name: str, count: int, row_bytes: int) -> str:
    """The same for an input of which there is one row at a time."""
    return f"""    if (host_read(from, row, {row_bytes})) break;
    int code = {name}_stream_begin(arena);
    for (int i = 0; i < {count} && !code; i++) {{
      if (i && host_read(from, row, {row_bytes})) return 6;
      code = {name}_stream_rows(row, 1, {row_bytes}, arena, constants);
    }}
    if (!code) code = {name}_stream_end(outputs, arena, constants);"""


def _declared(name: str, size: str, placed: bool) -> str:
    """An array of ``size`` bytes, a constant of the header, or where it lies in the arena."""
    if placed:
        return f"#define {name} (arena + {size.removesuffix('BYTES')}OFFSET)"
    return f"static _Alignas(16) unsigned char {name}[{size}];"


def in_arena(manifest: Manifest) -> bool:
    """Whether inputs and outputs lie in the arena of a C library."""
    about = manifest.get("interface") or {"offsets": {}}
    return bool(about["offsets"])


def streamed_rows(manifest: Manifest) -> tuple[int, int] | None:
    """How many rows of the input a C library takes one by one, and the bytes of each; None where it takes all at once."""
    rows = (manifest.get("interface") or {}).get("rows")
    return (rows[0], rows[1]) if rows else None


def _arrays(upper: str, kind: str, bindings: Sequence[Manifest]) -> list[tuple[str, str]]:
    return [(f"{kind.lower()}_{i}", f"{upper}_{kind}_{i}_BYTES") for i, _ in enumerate(bindings)]
