"""Reads what reports and tests need of an ELF file: its sections and its symbols. 32 and 64 bit, little endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from edgeopt.errors import EdgeoptError

_ALLOCATED, _SYMBOLS, _NO_BITS = 2, 2, 8


class _Header(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class Symbol:
    """A name in the symbol table; ``section`` is empty when another file has to define it."""

    name: str
    section: str
    offset: int
    size: int
    is_function: bool

    @property
    def undefined(self) -> bool:
        """True when the linker has to find it elsewhere."""
        return not self.section


class Elf:
    """An object file or shared library. Raises EdgeoptError when ``content`` is not a little-endian ELF file."""

    def __init__(self, content: bytes | memoryview) -> None:
        data = bytes(content)
        if data[:4] != b"\x7fELF" or data[5] != 1:
            raise EdgeoptError("not a little-endian ELF file")
        self.data, self._wide = data, data[4] == 2
        self._headers = self._section_headers()
        names = self._headers[struct.unpack_from("<H", data, 62 if self._wide else 50)[0]]
        self._names = [self._text(names.offset, header.name) for header in self._headers]

    def sections(self) -> dict[str, bytes]:
        """The contents of the sections that are loaded into memory, by name; equal names are joined."""
        found: dict[str, bytes] = {}
        for name, header in zip(self._names, self._headers, strict=True):
            if header.flags & _ALLOCATED and header.size:
                zeros = header.kind == _NO_BITS
                content = b"\0" * header.size if zeros else self.data[header.offset : header.offset + header.size]
                found[name] = found.get(name, b"") + content
        return found

    @property
    def loaded_bytes(self) -> int:
        """Bytes of code and constants that the file brings into memory (unwinding tables, which a board drops, left out)."""
        return sum(len(content) for name, content in self.sections().items() if not name.startswith((".eh_frame", ".ARM.ex")))

    def symbols(self) -> Iterator[Symbol]:
        """Every named symbol."""
        for table in self._headers:
            if table.kind == _SYMBOLS:
                yield from self._table(table)

    def undefined(self) -> set[str]:
        """Names that the linker has to find elsewhere."""
        return {symbol.name for symbol in self.symbols() if symbol.undefined}

    def _table(self, table: _Header) -> Iterator[Symbol]:
        width, strings = (24, self._headers[table.link].offset) if self._wide else (16, self._headers[table.link].offset)
        for at in range(table.offset + width, table.offset + table.size, width):
            if self._wide:
                name, info, _, index, value, size = struct.unpack_from("<IBBHQQ", self.data, at)
            else:
                name, value, size, info, _, index = struct.unpack_from("<IIIBBH", self.data, at)
            section = self._names[index] if 0 < index < len(self._names) else "" if index == 0 else "*ABS*"
            text = self._text(strings, name)
            if text:
                yield Symbol(text, section, value, size, info & 15 == 2)

    def _section_headers(self) -> list[_Header]:
        start = struct.unpack_from("<Q" if self._wide else "<I", self.data, 40 if self._wide else 32)[0]
        width, count = struct.unpack_from("<HH", self.data, 58 if self._wide else 46)
        layout = "<IIQQQQI" if self._wide else "<IIIIIII"
        return [_Header(*struct.unpack_from(layout, self.data, start + i * width)) for i in range(count)]

    def _text(self, table: int, at: int) -> str:
        start = table + at
        return self.data[start : self.data.index(b"\0", start)].decode()


def archived(content: bytes | memoryview) -> bytes:
    """The object file in a static library of one member, such as ``libmodel.a``. Raises EdgeoptError for anything else."""
    library = bytes(content)
    if library[:8] != b"!<arch>\n":
        raise EdgeoptError("not a static library")
    at = 8
    while at + 60 <= len(library):
        name, size = library[at : at + 16].decode().rstrip(), int(library[at + 48 : at + 58])
        if name != "/":
            return library[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise EdgeoptError("the static library holds no object file")
