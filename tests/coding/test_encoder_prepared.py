"""The loops of the encoder can be compiled before there is anything to encode."""

from __future__ import annotations

from edgeopt.coding.encoder import _walk, _write, prepare


def test_nothing_is_left_to_compile() -> None:
    assert prepare() == ""
    compiled = [loop.signatures for loop in (_walk, _write)]
    prepare()
    assert all(compiled) and compiled == [loop.signatures for loop in (_walk, _write)]
