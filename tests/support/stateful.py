"""A stream, claims and snapshots in memory, and a pipeline one can see through; any call may be made to fail."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import Signal, schema_of
from vintner.messaging.stateful import SHARED, Claim, ClaimConflictError, Derived, Missing, SnapshotError
from vintner.messaging.wire import Batch

T0 = datetime(2026, 1, 5, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Faults:
    """Kills a process at its n-th step, before or after the step has taken effect."""

    at: int | None = None
    after: bool = False
    steps: int = 0

    def step(self, effect: Callable[[], Any]) -> Any:
        self.steps += 1
        if self.steps == self.at and not self.after:
            raise Killed
        answer = effect()
        if self.steps == self.at:
            raise Killed
        return answer


@dataclass
class World:
    """What outlives processes: the stream's shards, claims, snapshots, and what was received of the derivations."""

    shards: dict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    parents: dict[str, list[str]] = field(default_factory=dict)
    owners: dict[str, set[int]] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    snapshots: dict[str, dict[int, bytes]] = field(default_factory=dict)
    received: list[tuple[str, int, int, int]] = field(default_factory=list)
    sequence: int = 0

    def deliver(self, shard: str, lane: int, first: int, count: int) -> Delivery:
        """Put the numbers from ``first`` on into a shard; with none of them it says what the next one would be."""
        self.sequence += 7
        data = json.dumps({"lane": lane, "first": first, "count": count}).encode()
        delivery = Delivery(stream="s", shard=shard, sequence=self.sequence, data=data, arrived_at=T0)
        self.shards[shard].append(delivery)
        return delivery


class MemoryClaims:
    """Claims in a dictionary."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults = world, faults

    def held(self, shard: str) -> Claim:
        return self.world.claims.get(shard, Claim())

    def put(self, shard: str, claim: Claim) -> None:
        def write() -> None:
            held = self.held(shard)
            if held.version != claim.version - 1:
                raise ClaimConflictError(shard=shard, version=held.version)
            self.world.claims[shard] = claim

        self.faults.step(write)


class MemorySnapshots:
    """Snapshots in a dictionary."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults = world, faults

    def write(self, name: str, lanes: Mapping[int, bytes]) -> None:
        self.faults.step(lambda: self.world.snapshots.update({name: dict(lanes)}))

    def read(self, name: str) -> dict[int, bytes]:
        if name not in self.world.snapshots:
            raise SnapshotError(name=name, problem="is not there")
        return dict(self.world.snapshots[name])

    def remove(self, name: str) -> None:
        self.faults.step(lambda: self.world.snapshots.pop(name, None))


class MemoryShards:
    """The world's shards, read again."""

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, shard: str, *, after: int | None, before: int | None) -> Iterator[Delivery]:
        for one in list(self.world.shards[shard]):
            if (after is None or one.sequence > after) and (before is None or one.sequence < before):
                yield one

    def parents(self, shard: str) -> Sequence[str]:
        return self.world.parents.get(shard, [])

    def lanes(self, shard: str) -> set[int]:
        return self.world.owners[shard]


class Totals:
    """A pipeline that sends, for each number of a lane that is new to it, the lane's running total.

    Numbers count up from 0 in each lane, so it can see what comes again and what was left out. What it may add is
    pinned reference data: a number above the limit is refused, and counts for nothing.
    """

    newest: int = 2**62
    """The newest limit there is."""

    def __init__(self, newest: Callable[[], int] | None = None) -> None:
        self._newest = newest or (lambda: self.newest)
        self.limit = self._newest()
        self.state: dict[int, list[int]] = {}  # lane -> [numbers seen, total, last delivery]

    def feed(self, deliveries: Sequence[Delivery]) -> Derived:
        batches, unsettled = [], False
        for delivery in deliveries:
            told = json.loads(delivery.data)
            seen = self.state.setdefault(told["lane"], [0, 0, 0])
            seen[2] = max(seen[2], delivery.sequence)
            for number in range(max(told["first"], seen[0]), told["first"] + told["count"]):
                seen[0] = number + 1
                unsettled = unsettled or number > self.limit
                seen[1] += number if number <= self.limit else 0
                batches.append(("totals", self.batch(told["lane"], number, seen[1])))
        return Derived(batches=batches, unsettled=unsettled)

    @staticmethod
    def batch(lane: int, number: int, total: int) -> Batch:
        rows = pa.RecordBatch.from_pylist([], schema=schema_of(Signal))
        return Batch(kind=Signal, producer=str(total), lane=lane, first=number, sent_at=T0, rows=rows)

    def misses(self, deliveries: Sequence[Delivery]) -> Missing | None:
        expected: dict[int, int] = {}
        for told in (json.loads(delivery.data) for delivery in deliveries):
            lane, end = told["lane"], told["first"] + told["count"]
            seen = expected.setdefault(lane, self.state.get(lane, [0])[0])
            if told["first"] > seen:
                return Missing(self.state[lane][2] if lane in self.state else None)
            expected[lane] = max(seen, end)
        return None

    def renew(self) -> bool:
        before, self.limit = self.limit, self._newest()
        return self.limit != before

    def dump(self) -> dict[int, bytes]:
        states = {lane: json.dumps(state).encode() for lane, state in self.state.items()}
        return {SHARED: json.dumps(self.limit).encode()} | states

    def load(self, lanes: Mapping[int, bytes]) -> None:
        if SHARED in lanes:
            self.limit = json.loads(lanes[SHARED])
        self.state |= {lane: json.loads(blob) for lane, blob in lanes.items() if lane != SHARED}


def receive(world: World, faults: Faults) -> Callable[[Derived], None]:
    """Return a way to send: what arrives is kept as (shard-free) stream, lane, number, total."""

    def send(derived: Derived) -> None:
        for stream, batch in derived.batches:
            row = (stream, batch.lane, batch.first, int(batch.producer))
            faults.step(partial(world.received.append, row))

    return send
