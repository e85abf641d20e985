"""The code of a model for this process among the files of an artifact: an object file, packed as xz where weights are coded.

Code of kernels repeats itself, so that xz leaves about a third; it is unpacked once, when the model is first run.
"""

from __future__ import annotations

import lzma

from edgeopt.errors import EdgeoptError
from edgeopt.runtime.reading import Files

CODE, PACKED_CODE = "model.o", "model.o.xz"
LARGEST = 1 << 30  # bytes of an object file: a file of xz that holds more is hostile


def with_packed_code(files: Files) -> Files:
    """``files`` with their code packed, if there is any."""
    if CODE not in files:
        return files
    return {**{name: content for name, content in files.items() if name != CODE}, PACKED_CODE: _packed(files[CODE])}


def _packed(code: bytes | memoryview) -> bytes:
    """With a dictionary no larger than the code: whoever unpacks it allocates that, which would be 8 MiB."""
    dictionary = max(4096, 1 << (len(code) - 1).bit_length())
    return lzma.compress(code, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}])


def code_of(files: Files) -> bytes | None:
    """The object file; None where there is none. Raises EdgeoptError for a packed one that is damaged."""
    if PACKED_CODE not in files:
        return bytes(files[CODE]) if CODE in files else None
    reading = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        found = reading.decompress(bytes(files[PACKED_CODE]), LARGEST)
    except (lzma.LZMAError, EOFError) as error:
        raise EdgeoptError(f"the code of the model in '{PACKED_CODE}' is damaged ({error}); compile the model again") from error
    if not reading.eof or reading.unused_data:
        raise EdgeoptError(f"the code of the model in '{PACKED_CODE}' is cut or damaged; compile the model again")
    return found


def stored_code(files: Files) -> int:
    """Bytes of the code in the artifact; 0 where there is none."""
    return sum(len(files[name]) for name in (CODE, PACKED_CODE) if name in files)
