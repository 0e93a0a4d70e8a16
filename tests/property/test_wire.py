"""The wire format: what is packed comes out, and nothing that changed on its way passes for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.system import of_the_next_version
from vintner.messaging.errors import RecordTypeError, UnknownStreamError, WireError
from vintner.messaging.records import (
    Doc,
    Trade,
    as_batch,
    as_records,
    fields_of,
    fingerprint,
    nothing_of,
    record,
    schema_at,
    schema_of,
)
from vintner.messaging.streams import LANES, STREAMS, lane_of, partition_key, stream_named
from vintner.messaging.wire import MAX_BODY_BYTES, Batch, heading, pack, unpack

T0 = datetime(2026, 1, 5, tzinfo=UTC)
KINDS = sorted({stream.record for stream in STREAMS.values()}, key=lambda kind: kind.__name__)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - given one
TEXTS = st.text(max_size=20)


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_decimal(kind):
        most = 10**kind.precision - 1
        return st.integers(-most, most).map(lambda n: Decimal(f"{n}e-{kind.scale}"))
    if pa.types.is_timestamp(kind):
        return INSTANTS
    plain: dict[pa.DataType, st.SearchStrategy[Any]] = {
        pa.string(): TEXTS,
        pa.int64(): st.integers(-(2**63), 2**63 - 1),
        pa.float64(): st.floats(allow_nan=False),
        pa.bool_(): st.booleans(),
    }
    return plain[kind]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    kind = draw(st.sampled_from(KINDS))
    row = st.fixed_dictionaries(
        {f.name: st.none() | values(f.type) if f.nullable else values(f.type) for f in fields_of(kind)}
    )
    rows = draw(st.lists(row, max_size=4))
    return Batch(
        kind=kind,
        producer=draw(TEXTS),
        lane=draw(st.integers(0, LANES - 1)),
        first=draw(st.integers(0, 2**62)),
        sent_at=draw(INSTANTS),
        rows=pa.RecordBatch.from_pylist(rows, schema=schema_of(kind)),
        trace=draw(st.sampled_from(["", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"])),
    )


@settings(max_examples=200, deadline=None)
@given(batches())
def test_what_is_packed_comes_out(batch: Batch) -> None:
    data = pack(batch)
    found = unpack(data, batch.kind)
    assert found == batch
    assert found.is_heartbeat == (batch.rows.num_rows == 0)
    head = heading(data, batch.kind)
    assert (head.producer, head.lane, head.first, head.records) == (
        batch.producer, batch.lane, batch.first, batch.rows.num_rows,
    )  # fmt: skip
    assert pack(batch) == data, "the same batch is the same bytes"


def trades(count: int) -> Batch:
    rows = [
        Trade(
            venue="binance-spot", symbol="BTCUSDT", trade_id=n, event_time=T0 + timedelta(seconds=n), received_at=T0,
            price=Decimal("61800.30000001"), size=Decimal("0.006"), aggressor=None, conditions=None,
        )
        for n in range(count)
    ]  # fmt: skip
    batch = as_batch(rows, Trade)
    assert as_records(batch, Trade) == [replace(row, size=Decimal("0.00600000")) for row in rows]
    return Batch(kind=Trade, producer="feed/1", lane=7, first=3, sent_at=T0, rows=batch)


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_bytes_are_saved_where_they_cost_and_numbers_are_aligned(count: int) -> None:
    batch = trades(count)
    data, raw = pack(batch), batch.rows.serialize()
    head = heading(data, Trade)
    assert len(data) <= 1_000
    assert (len(head.body) == len(raw)) == (count <= 2), "what stays below 1 kB is left as it is"
    found = unpack(data, Trade).rows
    assert all(buffer.address % 8 == 0 for column in found.columns for buffer in column.buffers() if buffer)


@pytest.mark.parametrize("count", [2, 3])
def test_no_changed_byte_passes(count: int) -> None:
    data = pack(trades(count))
    for place in range(len(data)):
        for flipped in (1, 128):
            changed = data[:place] + bytes([data[place] ^ flipped]) + data[place + 1 :]
            with pytest.raises(WireError):
                unpack(changed, Trade)


@pytest.mark.parametrize("count", [2, 3])
def test_no_cut_and_no_addition_passes(count: int) -> None:
    data = pack(trades(count))
    for size in range(len(data)):
        with pytest.raises(WireError):
            unpack(data[:size], Trade)
    with pytest.raises(WireError):
        unpack(data + b"\0", Trade)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_by_a_rule(data: bytes) -> None:
    with pytest.raises(WireError) as refused:
        unpack(data, Trade)
    assert refused.value.rule in {"malformed bytes", "unknown format", "checksum"}


def test_each_mistake_has_its_rule() -> None:
    data = pack(trades(1))
    with pytest.raises(WireError, match=r"deploy a consumer that knows version 2 of trade"):
        unpack(of_the_next_version(data), Trade)
    with pytest.raises(WireError) as other:
        unpack(data, next(kind for kind in KINDS if kind is not Trade))
    assert other.value.rule == "unknown record"


def test_a_body_larger_than_any_is_not_even_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vintner.messaging.wire.MAX_BODY_BYTES", 10)
    with pytest.raises(WireError, match="a body of"):
        unpack(pack(trades(5)), Trade)
    assert MAX_BODY_BYTES > 10


@record("tick", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OldTick:
    symbol: Annotated[str, Doc("Symbol.")]


@record("tick", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    symbol: Annotated[str, Doc("Symbol.")]
    lots: Annotated[int | None, Doc("Lots.", since=2)] = None


def test_an_older_version_is_read_with_nulls_for_what_came_later() -> None:
    rows = as_batch([OldTick(symbol="A"), OldTick(symbol="B")], OldTick)
    old = pack(Batch(kind=OldTick, producer="p/1", lane=1, first=0, sent_at=T0, rows=rows))
    assert as_records(unpack(old, Tick).rows, Tick) == [Tick(symbol="A"), Tick(symbol="B")]
    empty = pack(Batch(kind=OldTick, producer="p/1", lane=1, first=2, sent_at=T0, rows=nothing_of(OldTick)))
    assert unpack(empty, Tick).rows.schema == schema_of(Tick)
    assert fingerprint(OldTick, 1) == fingerprint(Tick, 1) != fingerprint(Tick, 2)
    assert schema_at(Tick, 1) == schema_of(OldTick)


def test_a_version_whose_fields_differ_is_refused() -> None:
    @record("tick", version=1)
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Stranger:
        name: Annotated[str, Doc("Name.")]

    rows = as_batch([Stranger(name="A")], Stranger)
    data = pack(Batch(kind=Stranger, producer="p/1", lane=1, first=0, sent_at=T0, rows=rows))
    with pytest.raises(WireError) as refused:
        unpack(data, Tick)
    assert refused.value.rule == "schema differs"


@pytest.mark.parametrize(
    "hint", [str, Annotated[list[str], Doc("A list.")], Annotated[int, Doc("Late, and never null.", since=2)]]
)
def test_a_record_type_that_cannot_travel_is_refused(hint: Any) -> None:
    kind: type[Any] = dataclass(frozen=True)(type("Odd", (), {"__annotations__": {"value": hint}}))
    with pytest.raises(RecordTypeError, match=r"value of record odd"):
        record("odd", version=2)(kind)


def test_lanes_are_stable_and_spread() -> None:
    assert lane_of("binance-spot", "BTCUSDT") == 57, "a lane never changes: state is kept by it"
    assert lane_of("ab", "c") != lane_of("a", "bc")
    used = {lane_of("v", f"S{n}") for n in range(2000)}
    assert used == set(range(LANES))
    assert len({partition_key(lane) for lane in range(LANES)}) == LANES
    with pytest.raises(UnknownStreamError, match=r"market_data.trades"):
        stream_named("trades")
