"""What goes out comes back, and damaged messages are refused with one reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from edgeopt.serve.tensors import TYPES, Seal, WireError, message, parsed, tensors

arrays = st.sampled_from(sorted(TYPES)).flatmap(
    lambda name: st_numpy.arrays(np.dtype(TYPES[name]), st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@given(st.dictionaries(st.text(max_size=5), arrays, max_size=3))
def test_binary_tensors_come_back(sent: dict[str, Any]) -> None:
    head, blob = message({"id": "7"}, "inputs", sent)
    record, data = parsed(head + blob, str(len(head)))
    found = tensors(record, "inputs", data)
    assert record["id"] == "7" and list(found) == list(sent)
    for name, array in sent.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@given(
    st.sampled_from(sorted(TYPES)).flatmap(
        lambda n: st_numpy.arrays(
            np.dtype(TYPES[n]), (2, 3), elements={"allow_nan": False, "allow_infinity": False} if n.startswith("FP") else None
        )
    )
)
def test_listed_tensors_come_back(array: Any) -> None:
    head, _ = message({}, "inputs", {"x": array}, binary=False)
    found = tensors(*_parsed(head), blob=memoryview(b""))
    np.testing.assert_array_equal(found["x"], array)


def _parsed(head: bytes) -> tuple[dict[str, Any], str]:
    return parsed(head, None)[0], "inputs"


def test_lists_may_be_nested() -> None:
    row = {"name": "x", "datatype": "INT32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}
    np.testing.assert_array_equal(tensors({"inputs": [row]}, "inputs", memoryview(b""))["x"], [[1, 2], [3, 4]])


def test_an_answer_that_lost_its_checksum_is_refused() -> None:
    seal = Seal()
    seal.require(False)
    seal.require(True)
    with pytest.raises(WireError, match="lost its checksum"):
        seal.require(False)


@given(st.binary(max_size=60), st.one_of(st.none(), st.text(max_size=5)))
def test_any_bytes_are_a_message_or_refused(body: bytes, header: str | None) -> None:
    try:
        record, blob = parsed(body, header)
        tensors(record, "inputs", blob)
    except WireError as error:
        assert str(error)


@given(st.data())
def test_a_damaged_message_is_refused_or_means_the_same(data: st.DataObject) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    head, blob = message({}, "inputs", {"x": array})
    body = bytearray(head + blob)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    try:
        record, rest = parsed(bytes(body), str(len(head)))
        found = tensors(record, "inputs", rest)
    except WireError:
        return
    assert place < len(head), "damaged data are found by their checksum"
    assert all(a.size * a.itemsize <= len(blob) for a in found.values())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape": [2**31, 2**31]}, "no shape"),
        ({"shape": [1 << 30, 1 << 30]}, "comes with 8"),
        ({"shape": [-1]}, "no shape"),
        ({"shape": [True]}, "no shape"),
        ({"shape": [1] * 17}, "no shape"),
        ({"datatype": "BYTES"}, "has the type 'BYTES'"),
        ({"datatype": ["FP32"]}, "has the type"),
        ({"name": None}, "has no name"),
        ({"parameters": {"binary_data_size": 9}}, "of 8 bytes comes with 9"),
        ({"parameters": {}}, "lists 0"),
        ({"parameters": {}, "data": [1, "2"]}, "lists what is no"),
        ({"parameters": {}, "data": [1, 1e999], "datatype": "INT8"}, "lists what is no int8"),
        ({"parameters": {}, "data": [1, 1000], "datatype": "INT8"}, "lists a number that is no int8"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_refused(change: dict[str, Any], reason: str) -> None:
    row = {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}} | change
    record, blob = parsed(json.dumps({"inputs": [row]}).encode(), None)[0], memoryview(bytes(8))
    with pytest.raises(WireError, match=reason):
        tensors(record, "inputs", blob if "data" not in change else memoryview(b""))


def test_data_that_belong_to_no_tensor_are_refused() -> None:
    with pytest.raises(WireError, match="3 bytes behind the last tensor"):
        tensors({"inputs": []}, "inputs", memoryview(b"abc"))
