"""A state rebuilt from what was landed goes on as the one that never stopped; shards, claims and lives of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_processing import (
    CONTEXTS,
    features_of,
    quotes,
    quotes_of,
    trades,
    trades_of,
    vectors,
)
from tests.support.stateful import T0, Faults, MemoryClaims, MemoryShards, MemorySnapshots, World
from vintner.datasets import dataset_of
from vintner.marketdata.engine import BAR_KEY
from vintner.marketdata.landing.reading import read_deliveries
from vintner.marketdata.landing.rows import fact_rows
from vintner.marketdata.mending import BAR_VALUES, final_bars, known_at
from vintner.marketdata.normalise import normalise_quotes, normalise_trades
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import Bar, schema_of
from vintner.messaging.replay.run import records_of
from vintner.messaging.stateful import (
    Claim,
    ClaimConflictError,
    ConsumerRunningError,
    Derived,
    LanePipeline,
    Rebuilding,
    SnapshotError,
    StatefulConsumer,
    Worked,
    as_work,
    moving,
)
from vintner.messaging.stateful.rebuilding import heartbeats
from vintner.messaging.streams import BARS, FEATURES_RAW, L1, LANES, TRADES, Stream
from vintner.messaging.wire import unpack

NORMALISE: dict[str, Any] = {TRADES.name: normalise_trades, L1.name: normalise_quotes}


def landed(stream: Stream, deliveries: Sequence[Delivery]) -> pa.Table:
    """What the lake holds of deliveries, each version once, and the lane of each row."""
    incoming = read_deliveries(deliveries, stream.record)
    rows, dataset = incoming.rows, dataset_of(stream.name)
    if stream.name in NORMALISE:
        rows = NORMALISE[stream.name](rows, CONTEXTS.open("fixed")).rows
    facts = fact_rows(dataset, rows, incoming.deliveries).append_column("lane", rows["lane"])
    seen: set[tuple[Any, ...]] = set()
    keys = zip(*(facts[name].to_pylist() for name in dataset.version_key), strict=True)
    return facts.filter(pa.array([not (key in seen or seen.add(key)) for key in keys], pa.bool_()))  # type: ignore[func-returns-value]


def taken_back(pipeline: LanePipeline, stream: Stream, facts: pa.Table) -> Worked:
    return pipeline.take_back(as_work_of(facts, stream))


def plain(worked: Worked | Derived) -> tuple[list[Any], set[Any]]:
    """Rows in the order of their lanes, and gaps, whatever number and producer they have."""
    rows: list[Any] = []
    if isinstance(worked, Worked):
        for one in worked.rows:
            told = zip(one.lanes.to_pylist(), one.rows.to_pylist(), strict=True)
            rows += [(one.stream.name, lane, row) for lane, row in told]
    else:
        rows += [(name, batch.lane, row) for name, batch in worked.batches for row in batch.rows.to_pylist()]
    gaps = {(f["values"]["instrument"], f["values"]["first_missing"], f["values"]["state"]) for _, f in worked.facts}
    return sorted(rows, key=lambda row: row[:2]), gaps


CASES: list[tuple[Stream, Callable[[], LanePipeline], Callable[[int], list[Delivery]]]] = [
    (TRADES, trades, trades_of),
    (L1, quotes, quotes_of),
    (FEATURES_RAW, vectors, features_of),
]


@pytest.mark.parametrize(("stream", "make", "deliver"), CASES, ids=lambda one: getattr(one, "name", ""))
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.floats(0.05, 0.95), data=st.data())
def test_a_rebuilt_state_goes_on_as_the_one_that_never_stopped(
    stream: Stream, make: Callable[[], LanePipeline], deliver: Callable[[int], list[Delivery]],
    seed: int, cut: float, data: st.DataObject,
) -> None:  # fmt: skip
    deliveries = deliver(seed)
    ends = next((n for n, one in enumerate(deliveries) if is_a_leap(stream, deliveries, n)), len(deliveries))
    at = int(cut * ends)
    lived, rebuilt = make(), make()
    before, gaps = plain(lived.feed(deliveries[:at]))
    facts = landed(stream, deliveries[:at])
    again, gaps_again = plain(taken_back(rebuilt, stream, facts))
    now = known_at(clock_of(stream, deliveries[:at], facts), None)
    both = [one.take_back(heartbeats(stream, range(LANES), now)) for one in (lived, rebuilt)]
    assert newest([*before, *plain(both[0])[0]]) == newest([*again, *plain(both[1])[0]])
    rebuilt.begin_life("2", range(LANES), last=at)
    repeated = data.draw(st.lists(st.integers(0, max(0, at - 1)), max_size=5), label="told again") if at else []
    rest = [*(deliveries[n] for n in repeated), *deliveries[at:]]
    one, other = plain(lived.feed(rest)), plain(rebuilt.feed(rest))
    assert other[0] == one[0]
    assert one[0] or before
    assert gaps_again | plain(both[1])[1] | other[1] == gaps | plain(both[0])[1] | one[1]


def is_a_leap(stream: Stream, deliveries: Sequence[Delivery], n: int) -> bool:
    """Whether a story's clock leaps here, by more than any bar waits."""
    return n > 0 and deliveries[n].arrived_at - deliveries[n - 1].arrived_at > timedelta(minutes=1)


def clock_of(stream: Stream, deliveries: Sequence[Delivery], facts: pa.Table) -> datetime:
    """The clock of the lane that is furthest."""
    told = [unpack(one.data, stream.record) for one in deliveries]
    beats = [min(one.sent_at, by.arrived_at) for one, by in zip(told, deliveries, strict=True) if one.is_heartbeat]
    known: list[datetime] = facts["knowledge_time"].to_pylist()
    return max([T0, *beats, *known])


def newest(rows: Sequence[tuple[str, int, dict[str, Any]]]) -> dict[Any, Any]:
    """What is known in the end of each bar, feature and vector."""
    found: dict[Any, Any] = {}
    bars = [row | {"lane": lane} for name, lane, row in rows if name == BARS.name]
    schema = pa.schema([*schema_of(Bar), pa.field("lane", pa.int32())])
    for bar in final_bars(pa.Table.from_pylist(bars, schema=schema)).to_pylist():
        found[tuple(bar[name] for name in BAR_KEY)] = [bar[name] for name in BAR_VALUES]
    for name, _, row in rows:
        if name != BARS.name:
            found[name, row["instrument"], row.get("feature", row.get("view")), row["event_time"]] = row.get(
                "value", row.get("values")
            )
    return found


def world_of(deliveries: Sequence[Delivery], shards: dict[str, set[int]], parents: dict[str, list[str]]) -> World:
    world = World(owners=dict(shards), parents=parents)
    for one in deliveries:
        world.shards[one.shard].append(one)
    return world


def rebuilding(world: World, landed_to: dict[str, int]) -> Rebuilding:
    return Rebuilding(
        trades(), TRADES, claims=MemoryClaims(world, Faults()), snapshots=MemorySnapshots(world, Faults()),
        shards=MemoryShards(world), landed=landed_to, names=sorted(world.owners),
    )  # fmt: skip


def consumer(world: World) -> StatefulConsumer:
    return StatefulConsumer(
        trades, claims=MemoryClaims(world, Faults()), snapshots=MemorySnapshots(world, Faults()),
        shards=MemoryShards(world), send=lambda _: None, clock=lambda: T0,
    )  # fmt: skip


ALL = set(range(LANES))


@pytest.mark.parametrize(("landed_to", "begun", "completed", "unlanded"), [
    (None, None, None, 0), (30, None, 30, 0), (30, 20, 30, 0), (20, 30, 30, 10), (None, 10, 10, 10),
])  # fmt: skip
def test_a_shard_goes_on_after_what_is_landed_or_was_begun(
    landed_to: int | None, begun: int | None, completed: int | None, unlanded: int
) -> None:
    deliveries = trades_of(7)
    world = world_of(deliveries, {"0": ALL}, {})
    world.claims["0"] = Claim(version=4, begun=begun, completed=begun, snapshot="gone")
    work = rebuilding(world, {} if landed_to is None else {"0": landed_to})
    work.take_unlanded()
    work.beat(T0 + timedelta(minutes=5))
    (written,) = work.write("77")
    claim = world.claims["0"]
    assert (written.completed, written.unlanded, written.lanes) == (completed, unlanded, LANES)
    assert (claim.version, claim.completed, claim.begun, claim.snapshot_at) == (5, completed, completed, completed)
    assert list(world.snapshots) == [claim.snapshot] == [written.snapshot]
    after = [one for one in deliveries if completed is None or one.sequence > completed]
    derived = consumer(world).consume(after[-5:])
    assert {batch.producer for one in derived for _, batch in one.batches} == {"trades/77"}
    assert world.claims["0"].begun == deliveries[-1].sequence


def test_a_damaged_snapshot_is_lost_state_and_rebuilding_mends_it() -> None:
    deliveries = trades_of(7)
    world = world_of(deliveries, {"0": ALL}, {})
    consumer(world).consume(deliveries[:50])
    world.snapshots.clear()
    with pytest.raises(SnapshotError):
        consumer(world).consume(deliveries[50:60])
    work = rebuilding(world, {"0": 45})
    work.take_back(as_work_of(landed(TRADES, deliveries[:45])))
    work.take_unlanded()
    work.write("2")
    assert consumer(world).consume(deliveries[50:60])[-1].counts["applied"] > 0


def as_work_of(facts: pa.Table, stream: Stream = TRADES) -> pa.Table:
    named = {"lanes": "lane", "producers": "source", "known": "knowledge_time"}
    columns = {name: facts[column].combine_chunks() for name, column in named.items()}
    return as_work(records_of(facts, stream.record), **columns)


def test_a_child_shard_has_its_lanes_from_a_parent_that_has_more() -> None:
    deliveries = trades_of(7)[:40]
    world = world_of(deliveries, {"0": ALL, "1": ALL}, {"1": ["0"]})
    work = rebuilding(world, {"0": 30})
    assert [one.shard for one in work.write("2")] == ["0"]
    done = rebuilding(world, {"0": 40})
    assert [one.shard for one in done.write("3")] == ["0", "1"]
    begun = rebuilding(world, {"0": 30, "1": 39})
    assert [one.shard for one in begun.write("4")] == ["0", "1"]


def test_claims_that_move_say_that_somebody_consumes() -> None:
    deliveries = trades_of(7)
    world = world_of(deliveries, {"0": ALL}, {})
    work = rebuilding(world, {})
    moving(work.held, dict(world.claims), consumer="trades")
    consumer(world).consume(deliveries[:10])
    with pytest.raises(ConsumerRunningError, match="its claims on 0 move"):
        moving(work.held, dict(world.claims), consumer="trades")
    with pytest.raises(ClaimConflictError):
        work.write("2")
