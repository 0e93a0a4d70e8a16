"""Stories of trades for engines: lanes of records with everything that happens to them, and how to compare answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st

from vintner.marketdata.calendars import Session, SessionTable
from vintner.marketdata.engine import HORIZONS, INPUT, EngineConfig, EngineOutput

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
START: Final = (MONDAY - EPOCH) // timedelta(microseconds=1)

Row = dict[str, Any]


def session(day: int, opens: timedelta, closes: timedelta) -> Session:
    midnight = MONDAY + timedelta(days=day)
    return Session(day=date(2026, 1, 5) + timedelta(days=day), opens_at=midnight + opens, closes_at=midnight + closes)


OPENS: Final = timedelta(hours=14, minutes=30)
SESSIONS: Final = SessionTable.of(
    {
        # Monday whole, Tuesday a holiday, Wednesday a half day, Thursday whole.
        "XNYS": [
            session(0, OPENS, timedelta(hours=21)),
            session(2, OPENS, timedelta(hours=18)),
            session(3, OPENS, timedelta(hours=21)),
        ],
        # Nearly round the clock, open the evening before; a session that fills no interval, one next to the other.
        "CMES": [
            session(0, timedelta(hours=-1), timedelta(hours=22)),
            session(0, timedelta(hours=23), timedelta(hours=23, seconds=90, milliseconds=500)),
            session(0, timedelta(hours=23, seconds=90, milliseconds=500), timedelta(hours=46)),
        ],
    }
)
CALENDARS: Final = {"binance-spot": -1, "XNYS": 0, "CMES": 1, "otc": -1}
INSTRUMENTS: Final = (
    (3, "BTCUSDT@binance-spot", "binance-spot", True),
    (3, "AAPL@XNYS", "XNYS", False),
    (3, "ES@CMES", "CMES", False),
    (7, "ETHUSDT@binance-spot", "binance-spot", True),
    (7, "A@otc", "otc", False),
)
HEARTBEAT_ROW: Final = dict.fromkeys(INPUT.names)


@dataclass(frozen=True)
class Habit:
    """How the records of a story come."""

    steps: tuple[int, ...]
    lags: tuple[int, ...]
    starts: int
    duplicates: float
    missing: float
    odd: float  # rules, prices of zero and below, closing prints
    grid: int


@dataclass
class Story:
    """Rows as dictionaries in the order delivered, and the settings they are read with."""

    rows: list[Row]
    config: EngineConfig
    dice: random.Random = field(repr=False)


HABITS: Final = st.builds(
    Habit,
    steps=st.sampled_from(
        (
            (0, 1_000, 90_000, 400_000),
            (0, SECOND // 2, SECOND, 5 * SECOND),
            (20 * SECOND, 45 * SECOND, MINUTE, 70 * SECOND),
            (0, 30 * SECOND, 5 * MINUTE, HOUR, 7 * HOUR),
        )
    ),
    lags=st.sampled_from(
        (
            (0,),
            (0, 0, 1_000, 300_000),
            (0, 0, 0, 2 * SECOND, 20 * SECOND, 90 * SECOND),
            (0, 0, 0, 0, 3 * MINUTE, 16 * MINUTE, 3 * HOUR),
            (0, 0, 0, 10 * SECOND, HOUR, DAY, 3 * DAY),
        )
    ),
    starts=st.sampled_from(
        (
            0,
            14 * HOUR + 29 * MINUTE,
            20 * HOUR + 50 * MINUTE,
            22 * HOUR + 58 * MINUTE,
            2 * DAY + 17 * HOUR + 57 * MINUTE,
            -HOUR - MINUTE,
        )
    ),
    duplicates=st.sampled_from((0.0, 0.05, 0.4)),
    missing=st.sampled_from((0.0, 0.05, 0.3)),
    odd=st.sampled_from((0.0, 0.1, 0.6)),
    grid=st.sampled_from((1, 1_000, 250_000, SECOND)),
)
CONFIGS: Final = st.sampled_from(
    (
        EngineConfig(),
        EngineConfig(),
        EngineConfig(tick=timedelta(seconds=1), grace=timedelta(0), ids=3, holes=2),
        EngineConfig(
            grace=timedelta(milliseconds=700),
            horizons={**HORIZONS, "1m": timedelta(minutes=2), "1s": timedelta(seconds=1)},
        ),
    )
)


@st.composite
def stories(draw: st.DrawFn, *, config: EngineConfig | None = None) -> Story:
    """A few instruments in two lanes; which trades come late, twice, never or together varies."""
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - a seeded story, not a secret
    habit = draw(HABITS)
    count = draw(st.sampled_from((250, 120, 40, 8, 1, 0)))
    among = INSTRUMENTS[: draw(st.integers(1, len(INSTRUMENTS)))]
    return Story(_rows(dice, habit, count, among), config or draw(CONFIGS), dice)


def _rows(dice: random.Random, habit: Habit, count: int, among: tuple[Any, ...]) -> list[Row]:
    clock, rows = START + habit.starts, list[Row]()
    numbers = {name: dice.randrange(1000) for _, name, *_ in among}
    kept_back: list[Row] = []
    while len(rows) < count:
        clock += dice.choice(habit.steps) * dice.randrange(3)
        chance = dice.random()
        if chance < 0.05:
            rows.append({**HEARTBEAT_ROW, "lane": dice.choice(among)[0], "knowledge_time": clock})
        elif rows and chance < 0.05 + habit.duplicates:
            again = dice.choice(rows)
            rows.append({**again, "knowledge_time": dice.choice((clock, again["knowledge_time"]))})
        elif kept_back and dice.random() < 0.2:
            late = kept_back.pop(dice.randrange(len(kept_back)))
            rows.append({**late, "knowledge_time": max(clock, late["event_time"])})
        else:
            row = _trade(dice, habit, clock, dice.choice(among), numbers)
            (kept_back if dice.random() < habit.missing else rows).append(row)
    return rows


def _trade(
    dice: random.Random, habit: Habit, clock: int, of: tuple[int, str, str, bool], numbers: dict[str, int]
) -> Row:
    lane, name, venue, dense = of
    numbers[name] += 1 if dice.random() > 0.02 else 5
    event = clock - dice.choice(habit.lags)
    event -= event % habit.grid
    odd = dice.random() < habit.odd
    return {
        "lane": lane,
        "instrument": name,
        "venue": venue,
        "dense": dense,
        "calendar": CALENDARS[venue],
        "trade_id": numbers[name],
        "event_time": event,
        "knowledge_time": clock - (dice.randrange(SECOND) if dice.random() < 0.1 else 0),
        "price": dice.choice((0, -5, 1, 10**18 - 1))
        if odd and dice.random() < 0.1
        else 10**10 + dice.randrange(-3, 4) * 10**6,
        "size": dice.choice((1, 10**8, 12_345_678, 10**18 - 1)),
        "side": dice.choice((1, -1, 0)),
        "bar_rules": dice.randrange(8) if odd else 7,
        "is_close": odd and dice.random() < 0.3,
    }


def ended(rows: list[Row]) -> list[Row]:
    """The rows and, of each lane, a heartbeat late enough for all to be told."""
    last = max((row["knowledge_time"] for row in rows), default=START) + 3 * DAY
    lanes = sorted({row["lane"] for row in rows})
    return [*rows, *({**HEARTBEAT_ROW, "lane": lane, "knowledge_time": last} for lane in lanes)]


def as_batch(rows: list[Row]) -> pa.RecordBatch:
    """Rows as an engine of trades takes them."""
    columns = []
    for kind in INPUT:
        values = [row[kind.name] for row in rows]
        if pa.types.is_decimal(kind.type):
            values = [None if value is None else Decimal(value).scaleb(-8) for value in values]
        if pa.types.is_timestamp(kind.type):
            columns.append(pa.array(values, pa.int64()).cast(kind.type))
        else:
            columns.append(pa.array(values, kind.type))
    return pa.RecordBatch.from_arrays(columns, schema=INPUT)


def split(rows: list[Row], dice: random.Random) -> list[list[Row]]:
    """The same rows in pieces of any length, some of none."""
    cuts = sorted(dice.randrange(len(rows) + 1) for _ in range(dice.randrange(6)))
    return [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


def plain(batch: pa.RecordBatch, lanes: pa.Int32Array) -> list[Row]:
    """Rows of an answer as dictionaries: decimals as whole units, instants as microseconds, with the lane."""
    batch.validate(full=True)
    columns: dict[str, list[Any]] = {"lane": lanes.to_pylist()}
    for field_ in batch.schema:
        column = batch[field_.name]
        if pa.types.is_decimal(field_.type):
            columns[field_.name] = _units(column)
        elif pa.types.is_timestamp(field_.type):
            columns[field_.name] = column.cast(pa.int64()).to_pylist()
        else:
            columns[field_.name] = column.to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _units(column: pa.Array) -> list[int | None]:
    raw, at = column.buffers()[1].to_pybytes(), column.offset
    return [
        int.from_bytes(raw[16 * (at + row) : 16 * (at + row + 1)], "little", signed=True) if value.is_valid else None
        for row, value in enumerate(column)
    ]


@dataclass
class Told:
    """Answers of an engine to several batches, put together; equal to those of another one only to the bit."""

    bars: list[Row] = field(default_factory=list)
    features: list[Row] = field(default_factory=list)
    gaps: list[tuple[Any, ...]] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)

    def add(self, output: EngineOutput) -> None:
        self.bars += plain(output.bars, output.lanes.bars)
        self.features += plain(output.features, output.lanes.features)
        self.gaps += [
            (
                gap.lane,
                gap.instrument,
                gap.venue,
                gap.first_missing,
                gap.last_missing,
                (gap.known_at - EPOCH) // timedelta(microseconds=1),
                gap.kind,
            )
            for gap in output.gaps
        ]
        self.verdicts += output.verdicts.to_pylist()

    def of_lane(self, lane: int) -> tuple[list[Row], list[Row], list[tuple[Any, ...]]]:
        of = [[row for row in rows if row["lane"] == lane] for rows in (self.bars, self.features)]
        return of[0], of[1], [gap for gap in self.gaps if gap[0] == lane]
