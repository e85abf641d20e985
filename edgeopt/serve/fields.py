"""Header fields of HTTP/1.1, of requests and answers. The standard library parses them as those of mail, which takes longer than
all else that is done for a request of 100 KB.
"""

from __future__ import annotations

from typing import Protocol

from edgeopt.serve.tensors import WireError

LONGEST, MOST = 1 << 16, 100  # bytes of a line, fields of a message
_ONCE = ("content-length", "transfer-encoding", "host", "authorization", "inference-header-content-length")


class Lines(Protocol):
    """A stream that is read by lines."""

    def readline(self, size: int, /) -> bytes: ...


class HeaderError(WireError):
    """A header that is none; ``status`` is what a server answers."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def fields(stream: Lines) -> dict[str, str]:
    """The fields up to the empty line, by their names in lower case.

    Raises HeaderError for a line that is no field, for too many or too long ones, for one that must not be there twice, and where
    the stream ends.
    """
    found: dict[str, str] = {}
    for _ in range(MOST + 1):
        line = stream.readline(LONGEST + 1)
        if line in (b"\r\n", b"\n"):
            return found
        if len(line) > LONGEST:
            raise HeaderError("a header field is too long", 431)
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or not line.endswith(b"\n"):
            raise HeaderError("the message has a header field that is none")
        key = name.decode("latin-1").lower()
        if key in found and key in _ONCE:
            raise HeaderError(f"the header field {key} is given twice")
        found[key] = value.strip().decode("latin-1")
    raise HeaderError(f"the message has more than {MOST} header fields", 431)
