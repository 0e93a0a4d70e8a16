"""What a market sends, and what goes wrong on the way: trades of one quarter of an hour, labelled with their fate.

Everything follows from one seed. A row's label says what is wrong with it; the rows without one are the truth that the
lake, the bars and the features are compared with.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa

from vintner.bitemporal import fact_schema
from vintner.marketdata.symbology import SYMBOLS, symbol_entity
from vintner.messaging.records import Trade, schema_of

START = datetime(2026, 1, 5, 20, 57, tzinfo=UTC)
"""A Monday; New York closes at 21:00."""
EARLIER_DAY = datetime(2026, 1, 2, 20, 55, tzinfo=UTC)
FIRST_ID = 10_000
JUMP = timedelta(hours=1)
"""How far a clock runs ahead for a while."""

CRYPTO, EXCHANGE = "binance-spot", "XNAS"

Row = tuple[str, str, int, datetime, datetime, Decimal, Decimal, str | None, str | None]
"""In the order of the fields of a trade."""


@dataclass(frozen=True)
class Size:
    """How much is sent."""

    seconds: int
    crypto: int
    exchange: int
    per_second: int


@dataclass
class Second:
    """What one second of the producers' lives brings: rows by feed."""

    at: datetime
    main: list[Row] = field(default_factory=list)
    second: list[Row] = field(default_factory=list)


class Story:
    """Trades, second by second."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size = size
        self.dice = Random(seed)  # noqa: S311 - nor is a market
        self.symbols = [(CRYPTO, f"C{n:03d}USDT") for n in range(size.crypto)]
        self.symbols += [(EXCHANGE, f"E{n:03d}") for n in range(size.exchange)]
        self.next_id = dict.fromkeys(self.symbols, FIRST_ID)
        self.price = {symbol: self.dice.randrange(1_000, 90_000) for symbol in self.symbols}  # cents
        self.good: dict[tuple[str, int], Row] = {}
        self.refused: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self._late: defaultdict[int, list[Row]] = defaultdict(list)

    def seconds(self) -> Iterator[Second]:
        """Yield what is sent in each second."""
        for number in range(self.size.seconds):
            at = START + timedelta(seconds=number)
            made = Second(at + timedelta(seconds=1))
            for n in range(self.size.per_second):
                self._trade(made, at + timedelta(microseconds=n * 1_000_000 // self.size.per_second), number)
            made.main += self._late.pop(number, [])
            if number % 3 == 0:
                self._days_late(made)
            if 40 <= number % 200 < 43:
                self._jump(made)
            self._reorder(made.main)
            yield made
        for number in sorted(self._late):
            yield Second(START + timedelta(seconds=number + 1), self._late[number])

    def _trade(self, made: Second, at: datetime, number: int) -> None:
        dice = self.dice
        symbol = dice.choice(self.symbols)
        venue, _ = symbol
        self.next_id[symbol] += 1 if venue == CRYPTO else dice.randrange(1, 5)
        self.price[symbol] = max(100, self.price[symbol] + dice.randrange(-3, 4))
        received = at + timedelta(microseconds=dice.randrange(2_000, 40_000))
        row = self._row(symbol, at, received)
        draw = dice.random()
        if draw < 0.0012:
            self._spoil(made, row)
        elif draw < 0.006:
            delay = dice.randrange(20, 400)
            self._keep("late by minutes", row := (*row[:4], received + timedelta(seconds=delay), *row[5:]))
            self._late[number + delay].append(row)
        else:
            self._keep("", row)
            made.main.append(row)
            if draw > 0.98:
                self.injected["told by a second feed"] += 1
                made.second.append((*row[:4], row[4] + timedelta(milliseconds=3), *row[5:]))

    def _row(self, symbol: tuple[str, str], at: datetime, received: datetime) -> Row:
        size = Decimal(self.dice.randrange(1, 500))
        side = self.dice.choice(["buy", "sell", None])
        price = Decimal(self.price[symbol]).scaleb(-2)
        return (*symbol, self.next_id[symbol], at, received, price, size, side, None)

    def _keep(self, what: str, row: Row) -> None:
        if what:
            self.injected[what] += 1
        self.good[f"{row[1]}@{row[0]}", row[2]] = row

    def _spoil(self, made: Second, row: Row) -> None:
        """Send a row that breaks one rule."""
        venue, symbol, number, at, received, price, size, *rest = row
        spoilt: dict[str, Any] = {
            "not positive": (venue, symbol, number, at, received, -price, size, *rest),
            "absurdly large": (venue, symbol, number, at, received, Decimal(9_999_999_999), size, *rest),
            "event in the future": (venue, symbol, number, at + timedelta(hours=1), received, price, size, *rest),
            "unknown symbol at that time": (EXCHANGE, "NOBODY", number, at, received, price, size, *rest),
            "unknown venue": ("nowhere", symbol, number, at, received, price, size, *rest),
        }
        rule = self.dice.choice(sorted(spoilt))
        self.refused[rule] += 1
        made.main.append(spoilt[rule])

    def _days_late(self, made: Second) -> None:
        symbol = self.dice.choice(self.symbols)
        at = EARLIER_DAY + timedelta(microseconds=self.dice.randrange(280_000_000))
        row = self._row(symbol, at, made.at - timedelta(milliseconds=5))
        number = len(self.good) % FIRST_ID
        row = (*row[:2], number, *row[3:])
        if (f"{row[1]}@{row[0]}", number) not in self.good:
            self._keep("late by days", row)
            made.main.append(row)

    def _jump(self, made: Second) -> None:
        """The second feed's clock is an hour ahead for a while."""
        for row in made.second:
            self.refused["receive clock ahead"] += 1
            made.second[made.second.index(row)] = (*row[:4], row[4] + JUMP, *row[5:])

    def _reorder(self, rows: list[Row]) -> None:
        for _ in range(len(rows) // 20):
            one = self.dice.randrange(len(rows))
            other = min(len(rows) - 1, one + self.dice.randrange(1, 60))
            rows[one], rows[other] = rows[other], rows[one]
            self.injected["out of order"] += 1


def table_of(rows: list[Row]) -> pa.RecordBatch:
    """Return rows as a batch of trades."""
    schema = schema_of(Trade)
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def symbol_facts(count: int) -> pa.Table:
    """Return what the exchange's symbols stand for."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    schema = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))
    facts = [
        {
            "entity": symbol_entity(EXCHANGE, f"E{n:03d}"),
            "event_time": at,
            "knowledge_time": at,
            "revision_seq": 0,
            "op": "upsert",
            "ingested_at": at,
            "instrument": f"E{n:03d}@{EXCHANGE}",
        }
        for n in range(count)
    ]
    return pa.Table.from_pylist(facts, schema=schema)
