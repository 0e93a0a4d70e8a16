"""The state of a consumer from what was landed: for when neither a snapshot nor the stream has it.

1.  Nobody may be consuming: a claim that moves while it is looked at says that somebody is.
2.  What was landed is taken back in its original order, by the very work that took it first. Nothing is sent.
3.  Of each shard, deliveries that work was begun on and that are not landed yet are read from the stream and taken
    likewise: what came of them may have been sent.
4.  Every lane gets a heartbeat of the present. All that the state had still to tell comes out of it, and whatever it
    tells from now on is known later than anything that was ever told.
5.  Every lane begins a new life, and the state is written as the snapshot of its shard, with a claim that points to
    it: the consumer goes on after the last delivery in it.

A shard that came from a split or a merge has its lanes from its parents for as long as the stream has something of
them that is to come: then the parents are rebuilt, and it inherits.

Sequence numbers of producers were not landed. Of each producer the first delivery that comes is compared with the
stream after the last delivery in the state; what a producer sends again of what was before is admitted, and recognised
by the ids of trades and updates, as what two producers send is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.errors import VintnerError
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records.schema import schema_of
from vintner.messaging.stateful.lanes import (
    ARRIVED_AT,
    HEARTBEAT,
    LANE,
    PRODUCER,
    SENT_AT,
    DerivedRows,
    LanePipeline,
    Worked,
)
from vintner.messaging.stateful.model import SHARED, Claim, Claims, Shards, Snapshots
from vintner.messaging.streams import LANES, Stream, stream_named

_CHUNK: Final = 500


class ConsumerRunningError(VintnerError):
    """Somebody consumes the stream whose state is to be rebuilt."""

    template = "{consumer} consumes: its claims on {shards} move; stop its mapping, or let it go on: it has its state"


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuiltShard:
    """A shard whose state was written.

    Parameters
    ----------
    shard
        Its name.
    lanes
        Lanes whose records belong to it.
    completed
        Sequence number of the last delivery in the state, or None where it begins with the oldest of the stream.
    unlanded
        Deliveries that were taken from the stream.
    snapshot
        Name of the snapshot.
    """

    shard: str
    lanes: int
    completed: int | None
    unlanded: int
    snapshot: str


def moving(before: Mapping[str, Claim], after: Mapping[str, Claim], *, consumer: str) -> None:
    """Compare claims of two instants.

    Raises
    ------
    ConsumerRunningError
        Naming the shards whose claims differ.
    """
    shards = sorted(shard for shard in after if after[shard] != before.get(shard, Claim()))
    if shards:
        raise ConsumerRunningError(consumer=consumer, shards=", ".join(shards))


class Rebuilding:
    """Rebuilds one consumer's state; see the module's steps. The same process makes all of them, in their order.

    Parameters
    ----------
    pipeline
        An empty pipeline of the consumer.
    stream
        What it consumes.
    claims, snapshots, shards
        Where the state goes, and the stream.
    landed
        Sequence number up to which the deliveries of each shard are landed; a shard may be missing.
    names
        The shards there are.
    """

    def __init__(
        self,
        pipeline: LanePipeline,
        stream: Stream,
        *,
        claims: Claims,
        snapshots: Snapshots,
        shards: Shards,
        landed: Mapping[str, int],
        names: Sequence[str],
    ) -> None:
        self._pipeline = pipeline
        self._stream = stream
        self._claims = claims
        self._snapshots = snapshots
        self._shards = shards
        self._landed = landed
        self._held = {name: claims.held(name) for name in names}
        self._taken: dict[str, int] = {}

    @property
    def held(self) -> Mapping[str, Claim]:
        """The claims as they were when this was made."""
        return self._held

    def take_back(self, rows: pa.Table) -> Worked:
        """Take records that were landed."""
        return self._pipeline.take_back(rows)

    def take_unlanded(self) -> list[Worked]:
        """Take the deliveries that work was begun on and that are not landed; return what comes of them."""
        done = []
        for shard, claim in self._held.items():
            landed = self._landed.get(shard)
            if claim.begun is None or (landed is not None and landed >= claim.begun):
                continue
            left = iter(self._shards.read(shard, after=landed, before=claim.begun + 1))
            while chunk := list(islice(left, _CHUNK)):
                self._taken[shard] = self._taken.get(shard, 0) + len(chunk)
                done.append(self._fed(chunk))
        return done

    def beat(self, now: datetime) -> Worked:
        """Move the clock of every lane to an instant; return what was still to be told."""
        return self._pipeline.take_back(heartbeats(self._stream, range(LANES), now))

    def write(self, life: str) -> list[RebuiltShard]:
        """Begin new lives, and write snapshots and claims; return what was written.

        Raises
        ------
        ClaimConflictError
            Somebody has begun to consume meanwhile. What was written is sound; give it all again.
        """
        states: dict[str, dict[int, bytes]] = {}
        written = [shard for shard in self._held if not self._inherits(shard)]
        for shard in written:
            self._pipeline.begin_life(life, self._shards.lanes(shard), last=self._completed(shard))
            dumped = self._pipeline.dump()
            states[shard] = {lane: dumped[lane] for lane in (SHARED, *self._shards.lanes(shard))}
        return [self._written(shard, states[shard]) for shard in written]

    def _written(self, shard: str, states: Mapping[int, bytes]) -> RebuiltShard:
        held, completed = self._held[shard], self._completed(shard)
        mark = zlib.crc32(b"".join(state for _, state in sorted(states.items())))
        name = f"{shard}/{completed or 0}-rebuilt-{mark:08x}"
        self._snapshots.write(name, states)
        claim = Claim(
            version=held.version + 1, completed=completed, begun=completed, snapshot=name, snapshot_at=completed
        )
        self._claims.put(shard, claim)
        if held.snapshot is not None and held.snapshot != name:
            self._snapshots.remove(held.snapshot)
        taken = self._taken.get(shard, 0)
        return RebuiltShard(shard=shard, lanes=len(states) - 1, completed=completed, unlanded=taken, snapshot=name)

    def _completed(self, shard: str) -> int | None:
        known = [one for one in (self._landed.get(shard), self._held[shard].begun) if one is not None]
        return max(known, default=None)

    def _inherits(self, shard: str) -> bool:
        """Whether the stream has something of a shard's parents that is still to come, and nothing of it has."""
        if self._completed(shard) is not None:
            return False
        parents = [parent for parent in self._shards.parents(shard) if parent in self._held]
        return any(self._inherits(one) or self._has_more(one) for one in parents)

    def _has_more(self, shard: str) -> bool:
        return next(iter(self._shards.read(shard, after=self._completed(shard), before=None)), None) is not None

    def _fed(self, deliveries: Sequence[Delivery]) -> Worked:
        derived = self._pipeline.feed(deliveries)
        rows = []
        for name, batch in derived.batches:
            lanes = pa.repeat(pa.scalar(batch.lane, pa.int32()), batch.rows.num_rows)
            rows.append(DerivedRows(stream=stream_named(name), rows=batch.rows, lanes=lanes))
        return Worked(rows=rows, facts=derived.facts, counts=derived.counts)


def as_work(records: pa.Table, *, lanes: pa.Array, producers: pa.Array, known: pa.Array) -> pa.Table:
    """Return landed records as a :class:`~vintner.messaging.stateful.Work` takes them.

    Parameters
    ----------
    records
        Columns of the stream's record type.
    lanes, producers, known
        Lane (int32), producer and knowledge time of each. When they arrived was not landed: as they were known.
    """
    columns = {
        LANE: lanes,
        PRODUCER: producers,
        ARRIVED_AT: known,
        SENT_AT: known,
        HEARTBEAT: pa.repeat(pa.scalar(value=False), records.num_rows),
    }
    for name, column in columns.items():
        records = records.append_column(name, column)
    return records


def heartbeats(stream: Stream, lanes: Iterable[int], at: datetime) -> pa.Table:
    """Return a heartbeat of each lane, as a :class:`~vintner.messaging.stateful.Work` takes it."""
    numbers = pa.array(lanes, pa.int32())
    clock = pa.repeat(pa.scalar(at, INSTANT), len(numbers))
    columns = {field.name: pa.nulls(len(numbers), field.type) for field in schema_of(stream.record)}
    columns |= {LANE: numbers, PRODUCER: pa.repeat("rebuild", len(numbers)), ARRIVED_AT: clock, SENT_AT: clock}
    columns[HEARTBEAT] = pa.repeat(pa.scalar(value=True), len(numbers))
    return pa.table(columns)
