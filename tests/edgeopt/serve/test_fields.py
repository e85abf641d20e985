"""Header fields are read as they are, and what is none is refused with a status."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.serve.fields import HeaderError, fields


def test_fields_by_their_names_in_lower_case() -> None:
    stream = io.BytesIO(b"Content-Length: 5\r\nX:\r\n\r\nbody")
    assert fields(stream) == {"content-length": "5", "x": ""}
    assert stream.read() == b"body"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"no colon\r\n\r\n", 400),
        (b" folded: a\r\n\r\n", 400),
        (b"name : a\r\n\r\n", 400),
        (b"Content-Length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"ends: early", 400),
        (b"", 400),
        (b"long: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"a: b\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_what_is_no_header_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(HeaderError) as found:
        fields(io.BytesIO(data))
    assert found.value.status == status


@given(st.binary(max_size=80))
def test_any_bytes_are_fields_or_refused(data: bytes) -> None:
    try:
        found = fields(io.BytesIO(data))
    except HeaderError:
        return
    assert all(name == name.lower().strip() for name in found)
