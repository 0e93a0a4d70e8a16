"""Streams that misbehave as Kinesis does, and a consumer that keeps what is new, in the order it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vintner.messaging.delivery_lanes import OUTCOME_UNKNOWN, Entry
from vintner.messaging.errors import StreamRefusedError
from vintner.messaging.records import Signal, as_records
from vintner.messaging.sequence import SequenceTracker
from vintner.messaging.streams import SIGNALS, lane_of, partition_key
from vintner.messaging.wire import Batch, unpack

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
THROTTLED = "ProvisionedThroughputExceededException"


def signal(n: int, instrument: str = "A") -> Signal:
    return Signal(
        signal_id=str(n), model="m/1", instrument=instrument, event_time=AT, knowledge_time=AT, score=n / 7,
        horizon_seconds=60,
    )  # fmt: skip


@dataclass
class Clock:
    """A clock that moves when it is told to, and when somebody waits."""

    now: datetime = AT
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


class RoughStream:
    """Does to each entry what comes next in ``fates``: ``ok``, ``refuse``, ``lose`` (accepted, but the answer is lost).

    ``away`` as fate of a call's first entry refuses the whole call, ``raise`` raises. Without fates all is accepted.
    """

    def __init__(self, fates: Iterable[str] = ()) -> None:
        self.fates: Iterator[str] = iter(fates)
        self.accepted: list[Entry] = []
        self.calls = 0

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        assert stream == f"vintner-test-{SIGNALS.resource_name}"
        assert len({entry.partition_key for entry in entries}) == len(entries), "two of a lane in one call"
        self.calls += 1
        codes: list[str | None] = []
        for entry in entries:
            fate = next(self.fates, "ok")
            if fate == "away":
                return [THROTTLED] * len(entries)
            if fate == "raise":
                raise StreamRefusedError(stream=stream, code="AccessDeniedException", reason="not allowed")
            if fate != "refuse":
                self.accepted.append(entry)
            codes.append({"refuse": THROTTLED, "lose": OUTCOME_UNKNOWN}.get(fate))
        return codes

    @property
    def batches(self) -> list[Batch]:
        return [unpack(entry.data, SIGNALS.record) for entry in self.accepted]


def consumed(batches: Iterable[Batch]) -> dict[str, list[int]]:
    """Numbers of the signals by instrument, as a consumer keeps them that drops what it has seen."""
    tracker, kept = SequenceTracker(), defaultdict(list)
    for batch in batches:
        for new in tracker.admit(batch.producer, batch.lane, batch.first, batch.rows.num_rows):
            for one in as_records(batch.rows.slice(new.start, len(new)), Signal):
                assert lane_of(one.instrument) == batch.lane
                kept[one.instrument].append(int(one.signal_id))
    assert tracker.missing == [], "a number is missing"
    return dict(kept)


def by_instrument(records: Iterable[Any]) -> dict[str, list[int]]:
    """Numbers of signals by instrument, in order."""
    found = defaultdict(list)
    for one in records:
        found[one.instrument].append(int(one.signal_id))
    return dict(found)


def keys_agree(entries: Iterable[Entry]) -> bool:
    return all(entry.partition_key == partition_key(unpack(entry.data, Signal).lane) for entry in entries)
