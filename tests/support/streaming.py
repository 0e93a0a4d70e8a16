"""A client of a running deployment's streams, and a second opinion on what they should lead to.

Nothing here sleeps for a fixed time: what is waited for is asked for again and again, up to a deadline, and what was
there instead is told when it passes.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from local.ground import Deployment, Ground
from local.ground.process import find_workers
from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.bitemporal import INSTANT
from vintner.datasets import DATASETS
from vintner.lake import LakeReader, load_table
from vintner.marketdata.calendars import INTERVALS
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import DECIMAL, Quote, Trade, schema_of
from vintner.messaging.streams import Stream, lane_of

T = TypeVar("T")

PATIENCE: Final = 90.0
"""Seconds after which what was waited for will not come."""
TRADE: Final = schema_of(Trade)
QUOTE: Final = schema_of(Quote)
SUMMARY: Final = (
    "open", "high", "low", "close", "volume", "notional", "trades", "buy_volume", "sell_volume",
)  # fmt: skip

Key = tuple[Any, ...]
Values = tuple[Any, ...]


def wait_for(look: Callable[[], T], done: Callable[[T], bool], what: str, seconds: float = PATIENCE) -> T:
    """Look until it is done; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while not done(seen := look()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain until {what}; last seen: {seen!r:.500}"
        time.sleep(0.3)
    return seen


@dataclass(frozen=True)
class Market:
    """Trades and quotes as a venue published them, columns of the record types, in the order of reception."""

    trades: pa.Table
    quotes: pa.Table

    @property
    def last(self) -> datetime:
        """When the last of it was received or happened."""
        clocks = [rows[name] for rows in (self.trades, self.quotes) for name in ("event_time", "received_at")]
        newest: datetime = max(pc.max(clock).as_py() for clock in clocks if len(clock))
        return newest


class Fabric:
    """The streams of a deployment, from outside."""

    def __init__(self, ground: Ground, platform: Deployment) -> None:
        self.ground, self.platform = ground, platform
        self.settings = Settings.from_environment()
        self._catalog = open_catalog(self.settings)
        self.put = KinesisPut()

    def publisher(self, stream: Stream, name: str, at: Callable[[], datetime]) -> Publisher:
        """Return a producer of a stream, by a clock of its own."""
        return Publisher(self.put, stream, producer=name, environment_name=self.platform.environment, clock=at)

    def publish(self, stream: Stream, rows: Any, name: str, at: datetime) -> Publisher:
        """Send rows; return their producer when all are accepted."""
        publisher = self.publisher(stream, name, lambda: at)
        publisher.publish(rows)
        publisher.flush()
        return publisher

    def read(self, name: str, **bounds: Any) -> pa.Table:
        """Return the rows of a dataset of the lake."""
        return LakeReader(self._catalog, self.platform.glue_database).read(DATASETS[name], **bounds)

    def of(self, name: str, instruments: Collection[str]) -> pa.Table:
        """Return the rows of instruments."""
        rows = self.read(name)
        return rows.filter(pc.is_in(rows["instrument"], pa.array(list(instruments))))

    def quarantined(self, mark: str) -> list[dict[str, Any]]:
        """Return the refused records whose payload has a mark in it."""
        table = load_table(self._catalog, self.platform.glue_database, "quarantine").scan().to_arrow()
        rows: list[dict[str, Any]] = table.filter(pc.match_substring(table["payload"], mark)).to_pylist()
        return rows

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that is a client of the deployment."""
        return {**self.ground.environment(), **self.platform.settings()}

    def call(self, folder: str, event: Any) -> Any:
        """Call a function of the deployment; return its answer."""
        answer = self.ground.client("lambda").invoke(
            FunctionName=self.platform.function(folder), Payload=json.dumps(event).encode()
        )
        body = json.loads(answer["Payload"].read() or b"null")
        assert not answer.get("FunctionError"), f"{folder} failed: {body}"
        return body

    def wait_for_rows(self, name: str, instruments: Collection[str], count: int, seconds: float = PATIENCE) -> pa.Table:
        """Return the rows of instruments when there are so many."""
        what = f"{count} rows of {', '.join(sorted(instruments))} are in {name}"
        rows: list[pa.Table] = []

        def number() -> int:
            rows[:] = [self.of(name, instruments)]
            return int(rows[0].num_rows)

        wait_for(number, lambda found: found >= count, what, seconds)
        return rows[0]

    def wait_for_bars(self, trades: pa.Table, seconds: float = PATIENCE) -> dict[Key, Values]:
        """Return the newest bars of the lake when they are those of the trades, which SQL makes from scratch."""
        expected, instruments = bars_by_sql(trades), instruments_of(trades)

        def wrong() -> list[Any]:
            held = newest(self.of("bars", instruments), ("instrument", "interval", "event_time"), SUMMARY)
            return [
                (key, expected.get(key), held.get(key))
                for key in expected.keys() | held.keys()
                if expected.get(key) != held.get(key)
            ]

        wait_for(
            lambda: (lambda found: (len(found), found[:3]))(wrong()),
            lambda seen: seen[0] == 0,
            f"the bars of {', '.join(instruments)} are those of the trades (key, expected, in the lake)",
            seconds,
        )
        return expected


def let_pass(publisher: Publisher, at: datetime, lanes: Collection[int]) -> None:
    """Let an instant pass in lanes of a stream: what is told at one beat, and derived from, shows at the next."""
    for beat in (at, at + timedelta(minutes=1)):
        publisher.heartbeat(beat, lanes=lanes)


def instruments_of(rows: pa.Table) -> list[str]:
    """Return the instruments of records, in the form they have where nobody stated another."""
    names = pc.binary_join_element_wise(rows["symbol"].cast(pa.string()), rows["venue"].cast(pa.string()), "@")
    return sorted(set(names.to_pylist()))


def lanes_of(rows: pa.Table) -> list[int]:
    """Return the lanes records go through."""
    return sorted({lane_of(*name.split("@")[::-1]) for name in instruments_of(rows)})


def bars_by_sql(trades: pa.Table) -> dict[Key, Values]:
    """Bars of all intervals of trades of venues that never close, each trade once, by one query: no state, no order."""
    intervals = pa.table({"interval": list(INTERVALS), "width": list(INTERVALS.values())})
    with duckdb.connect() as database:
        database.register("trades", trades)
        database.register("intervals", intervals)
        rows = database.execute(_BARS).fetchall()
    return {(name, interval, instant(end)): tuple(rest) for name, interval, end, *rest in rows}


_BARS: Final = """
select symbol || '@' || venue, interval, (epoch_us(event_time) // width + 1) * width,
       arg_min(price, (event_time, trade_id)), max(price), min(price), arg_max(price, (event_time, trade_id)),
       cast(sum(size) as decimal(38, 8)),
       cast(sum(cast(price as decimal(19, 8)) * cast(size as decimal(19, 8))) as decimal(38, 16)), count(*),
       cast(sum(case when aggressor = 'buy' then size else 0 end) as decimal(38, 8)),
       cast(sum(case when aggressor = 'sell' then size else 0 end) as decimal(38, 8))
from (select distinct on (venue, symbol, trade_id) * from trades) cross join intervals
group by all
"""


def instant(microseconds: int) -> datetime:
    """Return the instant so long after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def newest(rows: pa.Table, key: Sequence[str], values: Sequence[str]) -> dict[Key, Values]:
    """Return the values of the newest version of each fact; a version that is there twice is a failure."""
    told = ("knowledge_time", "revision_seq")
    columns = [rows[name].to_pylist() for name in (*key, *told, *values)]
    versions = sorted(zip(*columns, strict=True), key=lambda row: row[len(key) : len(key) + 2])
    seen = Counter(row[: len(key) + 2] for row in versions)
    assert len(seen) == len(versions), f"in the lake twice: {[one for one, n in seen.items() if n > 1][:3]}"
    return {row[: len(key)]: row[len(key) + 2 :] for row in versions}


def made_market(start: datetime, symbols: Sequence[str], *, seconds: int, per_second: int, seed: int) -> Market:
    """A market of a venue that never closes: trades numbered without holes, and a best quote before each."""
    dice = Random(seed)  # noqa: S311 - a market is no secret
    price = {symbol: dice.randrange(10_000, 90_000) for symbol in symbols}
    number = dict.fromkeys(symbols, 1_000)
    trades, quotes = [], []
    for n in range(seconds * per_second):
        symbol = dice.choice(symbols)
        at = start + timedelta(microseconds=n * 1_000_000 // per_second)
        received = at + timedelta(milliseconds=dice.randrange(1, 40))
        price[symbol] = max(100, price[symbol] + dice.randrange(-5, 6))
        number[symbol] += 1
        clocks = {"event_time": at, "received_at": received}
        names = {"venue": "binance-spot", "symbol": symbol, **clocks}
        size, side = Decimal(dice.randrange(1, 500)).scaleb(-2), dice.choice(["buy", "sell"])
        near = Decimal(price[symbol]).scaleb(-2)
        trades.append({**names, "trade_id": number[symbol], "price": near, "size": size, "aggressor": side})
        sides = {"bid": near - Decimal("0.01"), "ask": near + Decimal("0.01")}
        sizes = {f"{side}_size": Decimal(dice.randrange(1, 900)).scaleb(-1) for side in sides}
        quotes.append({**names, "update_id": number[symbol] * 7, **sides, **sizes})
    return Market(pa.Table.from_pylist(trades, schema=TRADE), pa.Table.from_pylist(quotes, schema=QUOTE))


def stated(number: float) -> Decimal:
    """Return what was written, to the eight places we keep: some volumes carry the noise of a sum of floats."""
    return Decimal(repr(number)).quantize(Decimal("1e-8"))


def four_a_minute(bars: pa.Table, venue: str, symbol: str) -> pa.Table:
    """Trades that one-minute bars could have been made of: open, high, low and close, sizes that sum to the volume."""
    rows: list[dict[str, Any]] = []
    for bar in bars.to_pylist():
        whole = int(stated(bar["volume"]).scaleb(8))
        parts = [whole // 4] * 3 + [whole - whole // 4 * 3]
        for place, (name, part) in enumerate(zip(("open", "high", "low", "close"), parts, strict=True)):
            at = bar["timestamp"] + timedelta(seconds=15 * place)
            rows.append(
                {
                    "venue": venue, "symbol": symbol, "trade_id": len(rows) + 1, "event_time": at, "received_at": at,
                    "price": stated(bar[name]), "size": Decimal(part).scaleb(-8),
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRADE)


def resampled(bars: pa.Table) -> dict[tuple[str, datetime], Values]:
    """Bars from a minute up, by interval and end, from one-minute bars alone: no trade is looked at."""
    exact = pa.table(
        {
            "begins": bars["timestamp"].cast(INSTANT),
            **{name: pa.array(map(stated, bars[name].to_pylist()), DECIMAL) for name in _OHLCV},
        }
    )
    longer = {name: width for name, width in INTERVALS.items() if width >= INTERVALS["1m"]}
    with duckdb.connect() as database:
        database.register("bars", exact)
        database.register("intervals", pa.table({"interval": list(longer), "width": list(longer.values())}))
        rows = database.execute(_RESAMPLED).fetchall()
    return {(interval, instant(end)): tuple(rest) for interval, end, *rest in rows}


_OHLCV: Final = ("open", "high", "low", "close", "volume")
_RESAMPLED: Final = """
select interval, (epoch_us(begins) // width + 1) * width,
       arg_min(open, begins), max(high), min(low), arg_max(close, begins), cast(sum(volume) as decimal(38, 8))
from bars cross join intervals group by all
"""


KILLS = 3


@contextmanager
def killing(folder: Path, functions: Iterable[str], seed: int) -> Iterator[Counter[str]]:
    """Kill workers of these functions every now and then, at random, each function's :data:`KILLS` times; count them.

    No more often: on a busy machine a worker takes longer to begin than the next kill would let it live.
    """
    done, killed, dice = threading.Event(), Counter[str](), Random(seed)  # noqa: S311 - when to kill is no secret
    names = list(functions)

    def hunt() -> None:
        while not done.wait(dice.uniform(0.1, 0.9)):
            due = [name for name in names if killed[name] < KILLS]
            live = [(name, pid) for name in due for pid in find_workers(folder, f"{name}-")]
            if live:
                # Those that were killed least are next, so that none gets away.
                name, pid = min(live, key=lambda one: (killed[one[0]], dice.random()))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed[name] += 1

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield killed
    finally:
        done.set()
        hunter.join()


def online_item(fabric: Fabric, dataset: str, entity: str) -> Mapping[str, Any] | None:
    """Return the newest item of an entity in the online table."""
    answer = fabric.ground.client("dynamodb").query(
        TableName=fabric.platform.online_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"{dataset}#{entity}"}},
        ScanIndexForward=False,
        Limit=1,
    )
    items: list[Mapping[str, Any]] = answer["Items"]
    return items[0] if items else None


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)
