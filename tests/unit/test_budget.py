"""An invocation takes on what fits, and gives the rest back in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.messaging.budget import Budget, BudgetLimits, resident_bytes
from vintner.messaging.errors import BatchNotFinishedError
from vintner.messaging.kinesis import Delivery

AT = datetime(2026, 1, 5, tzinfo=UTC)
SIZES = st.lists(st.integers(0, 40), max_size=12)


def batch(sizes: Sequence[int]) -> list[Delivery]:
    return [
        Delivery(stream="s", shard="0", sequence=10**30 + place, data=bytes(size), arrived_at=AT)
        for place, size in enumerate(sizes)
    ]


def budget(memory: int, *, used: int = 0, left_ms: int = 1000, expansion: int = 1) -> Budget:
    limits = BudgetLimits(memory_bytes=memory, memory_reserve_bytes=10, time_reserve_ms=100, expansion=expansion)
    return Budget(limits, remaining_ms=lambda: left_ms, used_bytes=lambda: used)


@given(sizes=SIZES, size=st.integers(1, 60))
def test_parts_are_the_batch_in_order(sizes: list[int], size: int) -> None:
    parts = list(budget(10_000).parts(batch(sizes), size))
    assert [one for part in parts for one in part] == batch(sizes)
    assert all(sum(len(one.data) for one in part) <= size or len(part) == 1 for part in parts)


@given(sizes=SIZES, memory=st.integers(0, 200), used=st.integers(0, 100), left_ms=st.sampled_from([50, 100, 101]))
def test_only_what_fits_is_taken_after_the_first(sizes: list[int], memory: int, used: int, left_ms: int) -> None:
    """With parts of one delivery each."""
    deliveries = batch([size + 1 for size in sizes])
    taken: list[list[Delivery]] = []
    fits = [left_ms > 100 and used + 2 * (size + 1) <= memory - 10 for size in sizes]
    count = next((n for n in range(1, len(sizes)) if not fits[n]), len(sizes))
    parts = budget(memory, used=used, left_ms=left_ms, expansion=2).parts(deliveries, 1)
    if count < len(sizes):
        with pytest.raises(BatchNotFinishedError, match=f"{len(sizes) - count} of {len(sizes)}"):
            taken += parts
    else:
        taken += parts
    assert [one for part in taken for one in part] == deliveries[:count]


def test_memory_that_grows_between_parts_ends_them() -> None:
    used = [0]
    limits = BudgetLimits(memory_bytes=100, memory_reserve_bytes=0, time_reserve_ms=0, expansion=1)
    parts = Budget(limits, remaining_ms=lambda: 1, used_bytes=lambda: used[0]).parts(batch([30, 30, 30]), 30)
    assert len(next(parts)) == 1
    used[0] = 60
    assert len(next(parts)) == 1
    used[0] = 90
    with pytest.raises(BatchNotFinishedError, match="1 of 3"):
        next(parts)


def test_the_memory_in_use_is_told() -> None:
    before = resident_bytes()
    kept = bytearray(64 * 1024 * 1024)
    assert resident_bytes() >= before
    assert before > 1024 * 1024
    assert len(kept)
