"""What should be there, worked out from the story alone, and what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from tests.chaos.run import Chaos
from tests.chaos.story import CRYPTO, JUMP
from tests.chaos.system import LANDED, LANDED_STREAMS, SESSIONS
from tests.support.memory import DATABASE
from tests.support.recomputed_bars import features_from_history
from vintner.lake import LakeReader, load_table
from vintner.marketdata.calendars import INTERVALS
from vintner.marketdata.gaps import GAPS
from vintner.marketdata.landing import payloads
from vintner.messaging.records import Bar, Trade
from vintner.messaging.wire import unpack

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SUMMARY = (
    "open", "high", "low", "close", "volume", "notional", "trades", "buy_volume", "sell_volume",
)  # fmt: skip
FAULTS = frozenset(
    {
        "delivered twice", "told by a second feed", "out of order", "delivered out of order", "late by minutes",
        "late by days", "corrupted bytes", "schema too new", "receive clock ahead", "event in the future",
        "Kinesis throttled", "Kinesis unreachable", "Kinesis answer lost", "Kinesis read throttled",
        "DynamoDB throttled", "DynamoDB answer lost", "S3 throttled", "S3 answer lost", "killed before send",
        "killed after send", "killed before DynamoDB", "killed after DynamoDB", "killed before S3", "killed after S3",
        "lake: crash before", "lake: crash after", "lake: answer lost", "lake: answer lost, then conflict",
        "mapping answer lost", "shard split", "shards merged", "producer restarted",
    }
)  # fmt: skip
"""What goes wrong in a run that is long enough."""


@dataclass(frozen=True)
class Compared:
    """Two sets that should be one."""

    expected: int
    lost: int
    doubled: int
    different: int

    @property
    def holds(self) -> bool:
        return self.expected > 0 and self.lost == self.doubled == self.different == 0


def trades(chaos: Chaos) -> Compared:
    """Every good trade of the story is a fact of the lake, once, as it was sent."""
    rows = _read(chaos, "trades")
    told = {
        key: (row[3], row[5], row[6]) for key, row in chaos.story.good.items()
    }  # (instrument, id) -> event time, price, size
    facts: dict[tuple[str, int], set[tuple[Any, ...]]] = {}
    versions = Counter[tuple[Any, ...]]()
    names = ("instrument", "trade_id", "event_time", "price", "size", "knowledge_time", "revision_seq")
    for row in zip(*(rows[name].to_pylist() for name in names), strict=True):
        facts.setdefault(row[:2], set()).add(row[2:5])
        versions[row[:2] + row[5:]] += 1
    return Compared(
        expected=len(told),
        lost=len(told.keys() - facts.keys()),
        doubled=sum(count - 1 for count in versions.values()),
        different=len(facts.keys() - told.keys())
        + sum(facts[key] != {told[key]} for key in facts.keys() & told.keys()),
    )


def bars(chaos: Chaos) -> Compared:
    """The newest version of each bar is that of a batch recomputation from the story."""
    held = _newest(_read(chaos, "bars"), ("instrument", "interval", "event_time"), SUMMARY)
    told = {(name, interval, _instant(end)): tuple(rest) for name, interval, end, *rest in _recomputed(chaos)}
    return _compare(told, held)


def features(chaos: Chaos) -> Compared:
    """The newest value of each feature is that worked out from the history of the bars as the stream told it."""
    history = [_plain(row) for row in _told_bars(chaos) if row["interval"] == "1m"]
    told = {key: (value,) for key, value in features_from_history(history).items()}
    newest = _newest(_read(chaos, "features_raw"), ("instrument", "feature", "event_time"), ("value",))
    held = {(name, feature, _microseconds(at)): value for (name, feature, at), value in newest.items()}
    return _compare(told, held)


def refused(chaos: Chaos) -> dict[str, tuple[int, int]]:
    """Refused records by rule: how many were injected, how many the quarantine holds (a record told twice is one)."""
    table = load_table(chaos.system.catalog, DATABASE, "quarantine").scan().to_arrow()
    whole = ("checksum", "malformed bytes", "schema too new")
    found = Counter(rule for rule, _ in set(zip(table["rule"].to_pylist(), table["payload"].to_pylist(), strict=True)))
    injected = Counter(chaos.story.refused)
    injected["schema too new"] = chaos.weather.injected["schema too new"]
    injected["receive clock ahead"] -= _unread(chaos, set(table["payload"].to_pylist()))
    damaged = sum(found.pop(rule, 0) for rule in ("checksum", "malformed bytes", "unknown format", "unknown record"))
    told = {rule: (injected[rule], found[rule]) for rule in sorted({*injected, *found} - set(whole[:2]))}
    return told | {"corrupted bytes": (chaos.weather.injected["corrupted bytes"], damaged)}


def _unread(chaos: Chaos, kept: set[str]) -> int:
    """Records of the second feed's jumping clock that were in damaged deliveries alone, and so were never judged."""
    rows = [unpack(data, Trade).rows for data in chaos.wire.lost]
    if not rows:
        return 0
    table = pa.Table.from_batches(rows)
    told = zip(table["received_at"].to_pylist(), table["event_time"].to_pylist(), payloads(table), strict=True)
    jumped = {payload for received, event, payload in told if JUMP <= received - event < JUMP + timedelta(minutes=1)}
    return len(jumped - kept)


def derived(chaos: Chaos) -> Compared:
    """Each number of a derived lane was given to one record, whatever process sent it, and none was left out."""
    numbers: dict[tuple[str, str, int, int], Any] = {}
    different = 0
    for name, kind in LANDED_STREAMS.items():
        for delivery in _deliveries(chaos, name):
            batch = unpack(delivery.data, kind)
            for place, row in enumerate(batch.rows.to_pylist()):
                key = name, batch.producer, batch.lane, batch.first + place
                different += numbers.setdefault(key, row) != row
    ends: dict[tuple[str, str, int], int] = {}
    for name, producer, lane, number in numbers:
        ends[name, producer, lane] = max(number + 1, ends.get((name, producer, lane), 0))
    return Compared(expected=len(numbers), lost=sum(ends.values()) - len(numbers), doubled=0, different=different)


def gaps(chaos: Chaos) -> Compared:
    """At the end the trade ids that are missing are those of the records that were refused."""
    newest: dict[str, dict[str, Any]] = {}
    for row in sorted(
        _read(chaos, GAPS.name).to_pylist(), key=lambda row: (row["knowledge_time"], row["revision_seq"])
    ):
        newest[row["entity"]] = row
    there: dict[str, set[int]] = {}
    for name, number in chaos.story.good:
        there.setdefault(name, set()).add(number)
    told = _numbers((name, min(ids), max(ids)) for name, ids in there.items() if name.endswith(CRYPTO))
    stated = [row for row in newest.values() if row["state"] == "open"]
    held = _numbers((row["instrument"], row["first_missing"], row["last_missing"]) for row in stated)
    told, held = (numbers - chaos.story.good.keys() for numbers in (told, held))
    return Compared(expected=len(told), lost=len(told - held), doubled=len(held - told), different=0)


def _numbers(spans: Iterable[tuple[str, int, int]]) -> set[tuple[str, int]]:
    return {(name, number) for name, first, last in spans for number in range(first, last + 1)}


def _recomputed(chaos: Chaos) -> Iterator[tuple[Any, ...]]:
    """Bars by SQL over the trades of the story: exact decimals, no state, no order."""
    rows = [(key[0], key[1], row[3], row[5], row[6], row[7]) for key, row in chaos.story.good.items()]
    names = ("instrument", "trade_id", "executed_at", "price", "size", "side")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    types = (
        pa.string(),
        pa.int64(),
        pa.timestamp("us", "UTC"),
        pa.decimal128(18, 8),
        pa.decimal128(18, 8),
        pa.string(),
    )
    trades = pa.table({name: pa.array(columns[name], kind) for name, kind in zip(names, types, strict=True)})
    number = SESSIONS.index("XNAS")
    sessions = pa.table({"opens": SESSIONS.opens(number), "closes": SESSIONS.closes(number)})
    intervals = pa.table({"interval": list(INTERVALS), "width": list(INTERVALS.values())})
    with duckdb.connect() as database:
        for name, table in (("trades", trades), ("sessions", sessions), ("intervals", intervals)):
            database.register(name, table)
        yield from database.execute(_BARS).fetchall()


_BARS = """
with placed as (
    select t.*, epoch_us(executed_at) as us, opens, closes
    from trades t left join sessions s
    on t.instrument like '%@XNAS' and epoch_us(executed_at) >= opens and epoch_us(executed_at) < closes
    where t.instrument not like '%@XNAS' or opens is not null
), bounded as (
    select *, case when opens is null then (us // width + 1) * width
                   when interval = '1d' then closes
                   else least(opens + ((us - opens) // width + 1) * width, closes) end as ends
    from placed cross join intervals
)
select instrument, interval, ends,
       arg_min(price, (us, trade_id)), max(price), min(price), arg_max(price, (us, trade_id)),
       cast(sum(size) as decimal(38, 8)), cast(sum(cast(price as decimal(20, 8)) * size) as decimal(38, 16)), count(*),
       cast(sum(case when side = 'buy' then size else 0 end) as decimal(38, 8)),
       cast(sum(case when side = 'sell' then size else 0 end) as decimal(38, 8))
from bounded group by all
"""


def _told_bars(chaos: Chaos) -> list[dict[str, Any]]:
    """Every bar as the processor told it, each number of a lane once."""
    told: dict[tuple[str, int, int], dict[str, Any]] = {}
    for delivery in _deliveries(chaos, "bars"):
        batch = unpack(delivery.data, Bar)
        for place, row in enumerate(batch.rows.to_pylist()):
            told[batch.producer, batch.lane, batch.first + place] = row
    return list(told.values())


def _deliveries(chaos: Chaos, name: str) -> Iterator[Any]:
    for shard in getattr(chaos.system, name).shards.values():
        yield from shard.records


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A bar as the recomputation of features takes it: whole numbers."""
    plain = dict(row)
    for name, value in row.items():
        if isinstance(value, datetime):
            plain[name] = _microseconds(value)
        elif name == "notional":
            plain[name] = int(value.scaleb(16))
        elif name in SUMMARY and name != "trades" and value is not None:
            plain[name] = int(value.scaleb(8))
    return plain


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _read(chaos: Chaos, name: str) -> pa.Table:
    return LakeReader(chaos.system.catalog, DATABASE).read(LANDED.get(name, GAPS))


def _newest(rows: pa.Table, key: tuple[str, ...], values: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The values of the newest version of each fact; a version key that comes twice is refused."""
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    told = ("knowledge_time", "revision_seq")
    columns = (rows[name].to_pylist() for name in (*key, *told, *values))
    versions = sorted(zip(*columns, strict=True), key=lambda row: row[len(key) : len(key) + 2])
    seen = Counter(row[: len(key) + 2] for row in versions)
    assert all(count == 1 for count in seen.values()), "a version is in the lake twice"
    for row in versions:
        newest[row[: len(key)]] = row[len(key) + 2 :]
    return newest


def _compare(told: dict[Any, Any], held: dict[Any, Any]) -> Compared:
    different = [key for key in told.keys() & held.keys() if told[key] != held[key]]
    return Compared(
        expected=len(told),
        lost=len(told.keys() - held.keys()),
        doubled=len(held.keys() - told.keys()),
        different=len(different),
    )
