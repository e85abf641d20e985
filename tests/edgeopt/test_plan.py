"""The memory plan: live buffers never overlap, and little more than the lower bound is used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.plan import Buffer, lower_bound, plan

BUFFERS = st.lists(
    st.builds(lambda size, first, length: Buffer(size, first, first + length), *[st.integers(0, n) for n in (5000, 20, 6)]),
    max_size=25,
)


@given(BUFFERS)
def test_live_buffers_do_not_overlap(buffers: list[Buffer]) -> None:
    arena = plan(buffers)
    for i, a in enumerate(buffers):
        assert a.offset % ALIGNMENT == 0 and a.offset >= 0 and a.offset + a.size <= arena
        for b in buffers[:i]:
            alive_together = a.first <= b.last and b.first <= a.last
            assert not alive_together or a.offset + a.size <= b.offset or b.offset + b.size <= a.offset


@given(BUFFERS)
def test_the_lower_bound_is_one(buffers: list[Buffer]) -> None:
    assert lower_bound(buffers) <= plan(buffers)


def test_a_chain_needs_two_buffers() -> None:
    chain = [Buffer(1024, i, i + 1) for i in range(10)]
    assert plan(chain) == lower_bound(chain) == 2048
