"""What is known of a venue's symbol while a record is judged: one standing by symbol, as of time, remembered.

1.  The rows are reduced to their distinct symbols; each of them is looked up in a dictionary of standings.
2.  A standing holds in a region of event and knowledge time (:mod:`vintner.marketdata.symbology`). Rows outside the
    region of their symbol are asked by an as-of join, and the region of the newest of them is remembered.
3.  The standings are laid out as columns and given to the rows by number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.marketdata.symbology import EVERYWHERE, NOWHERE, Region, SymbolFact, Symbology, symbol_entity
from vintner.marketdata.venues import LiquidityTicks, Ticks, TickTable, Venue, Venues

SEPARATOR: Final = "\x1f"
MOST_REMEMBERED: Final = 65_536
"""Symbols remembered; beyond, all are forgotten, so that a feed of nonsense cannot fill the memory."""
LONGEST_SYMBOL: Final = 64
ROUND_THE_CLOCK: Final = -1

_MICROSECOND: Final = timedelta(microseconds=1)


class Kind(StrEnum):
    """What is judged: ticks of trades and of quotes differ."""

    TRADE = "trade"
    QUOTE = "quote"


class Flaw(StrEnum):
    """Why a symbol can have no standing."""

    VENUE = "unknown venue"
    SYMBOL = "malformed symbol"


class Standing(NamedTuple):
    """One symbol as of a region of time: the columns of :data:`COLUMNS`, then the region. Prices in units of 1e-8."""

    flaw: str | None = None
    instrument: str | None = None
    dense: bool | None = None
    calendar: int | None = None
    least_delay: int | None = None
    most_delay: int | None = None
    most_skew: int | None = None
    largest_price: int | None = None
    largest_size: int | None = None
    least_price: int | None = None
    most_price: int | None = None
    lot: int | None = None
    tick: int | None = None
    bands: int | None = None
    tape: str | None = None
    may_cross: bool | None = None
    region: Region = EVERYWHERE


COLUMNS: Final[Mapping[str, pa.DataType]] = {
    "flaw": pa.string(),
    "instrument": pa.string(),
    "dense": pa.bool_(),
    "calendar": pa.int16(),
    "least_delay": pa.int64(),
    "most_delay": pa.int64(),
    "most_skew": pa.int64(),
    "largest_price": pa.int64(),
    "largest_size": pa.int64(),
    "least_price": pa.int64(),
    "most_price": pa.int64(),
    "lot": pa.int64(),
    "tick": pa.int64(),
    "bands": pa.int16(),
    "tape": pa.string(),
    "may_cross": pa.bool_(),
}
_SCHEMA: Final = pa.schema(list(COLUMNS.items()))
_STRANGER: Final = Standing(region=NOWHERE)


class Standings:
    """The standings of symbols for one kind of record.

    Parameters
    ----------
    calendar
        From a calendar's name to its number.
    """

    def __init__(self, kind: Kind, venues: Venues, symbology: Symbology, calendar: Callable[[str], int]) -> None:
        self._kind = kind
        self._venues = venues
        self._symbology = symbology
        self._calendar = calendar
        self._remembered: dict[str, Standing] = {}
        self._numbers: dict[str, int] = {}
        self.tables: list[TickTable] = []
        """Tick tables of several bands, by the number in the column ``bands``."""

    def of(self, rows: pa.RecordBatch, event: pa.Int64Array, known: pa.Int64Array) -> pa.RecordBatch:
        """Return the standing of each row's symbol, nulls where venue or symbol is.

        Parameters
        ----------
        rows
            Columns venue and symbol.
        event, known
            Epoch microseconds; a null is a row that is not asked about.
        """
        keys = pc.binary_join_element_wise(rows["venue"], rows["symbol"], SEPARATOR).dictionary_encode()
        numbers, symbols = keys.indices, keys.dictionary.to_pylist()
        standings = [self._remembered.get(symbol) or self._first(symbol) for symbol in symbols]
        if any(one.region is not EVERYWHERE for one in standings):
            outside = _outside(standings, numbers, event, known)
            if pc.any(outside).as_py():
                numbers = self._ask(outside, numbers, symbols, standings, event, known)
        columns = list(zip(*standings, strict=True)) or [()] * len(_SCHEMA)
        laid_out = [pa.array(column, kind) for column, kind in zip(columns, COLUMNS.values(), strict=False)]
        return pa.RecordBatch.from_arrays(laid_out, schema=_SCHEMA).take(numbers)

    def _first(self, key: str) -> Standing:
        """Remember and return the standing of a symbol not seen before, nowhere where it depends on the time."""
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        code, _, symbol = key.partition(SEPARATOR)
        venue = self._venues.get(code)
        if venue is None:
            standing = Standing(flaw=Flaw.VENUE)
        elif not _is_symbol(symbol):
            standing = Standing(flaw=Flaw.SYMBOL)
        elif self._symbology.knows(symbol_entity(code, symbol)):
            standing = _STRANGER
        else:
            standing = self._standing(venue, symbol, SymbolFact(), EVERYWHERE)
        self._remembered[key] = standing
        return standing

    def _ask(
        self,
        outside: pa.BooleanArray,
        numbers: pa.Int32Array,
        symbols: list[str],
        standings: list[Standing],
        event: pa.Int64Array,
        known: pa.Int64Array,
    ) -> pa.Int32Array:
        """Ask the symbology about rows outside their region; standings are appended, and the new numbers returned."""
        asked, events, knowns = (column.filter(outside) for column in (numbers, event, known))
        entities = pa.array([_entity(symbol) for symbol in symbols], pa.string())
        facts = self._symbology.look_up(entities.take(asked), events.cast(INSTANT), knowns.cast(INSTANT))
        given: dict[tuple[int, int | None], int] = {}
        newest: dict[int, tuple[int, int, int]] = {}
        answers = []
        for symbol, at, learned, fact in zip(
            asked.to_pylist(), events.to_pylist(), knowns.to_pylist(), facts.to_pylist(), strict=True
        ):
            place = given.get((symbol, fact))
            if place is None:
                place = given[symbol, fact] = len(standings)
                standings.append(self._answered(symbols[symbol], fact))
            answers.append(place)
            newest[symbol] = max(newest.get(symbol, (learned, at, place)), (learned, at, place))
        for symbol, (learned, at, place) in newest.items():
            region = self._symbology.region(_entity(symbols[symbol]), at, learned)
            self._remembered[symbols[symbol]] = standings[place]._replace(region=region)
        return pc.replace_with_mask(numbers, outside, pa.array(answers, pa.int32()))

    def _answered(self, key: str, fact: int | None) -> Standing:
        code, _, symbol = key.partition(SEPARATOR)
        told = SymbolFact() if fact is None else self._symbology.fact(fact)
        return self._standing(self._venues[code], symbol, told, NOWHERE)

    def _standing(self, venue: Venue, symbol: str, told: SymbolFact, region: Region) -> Standing:
        tick, bands = self._ticks(venue, told)
        table = told.conditions or (venue.conditions.name if venue.conditions else None)
        return Standing(
            instrument=told.instrument or (f"{symbol}@{venue.code}" if venue.self_named else None),
            dense=venue.dense,
            calendar=ROUND_THE_CLOCK if venue.calendar is None else self._calendar(venue.calendar),
            least_delay=-(venue.event_ahead // _MICROSECOND),
            most_delay=venue.lateness // _MICROSECOND,
            most_skew=venue.receive_ahead // _MICROSECOND,
            largest_price=int(venue.most_price.scaleb(8)),
            largest_size=int(venue.most_size.scaleb(8)),
            least_price=told.least_price,
            most_price=told.most_price,
            lot=told.lot,
            tick=tick,
            bands=bands,
            tape=None if table is None else f"{table}{SEPARATOR}{venue.scope}",
            may_cross=venue.may_cross,
            region=region,
        )

    def _ticks(self, venue: Venue, told: SymbolFact) -> tuple[int | None, int | None]:
        """Return the tick at every price, or else the number of the table that says it by price."""
        own = told.tick if self._kind is Kind.QUOTE or venue.trades_on_tick else None
        rule: Ticks | None = venue.quote_ticks if self._kind is Kind.QUOTE else venue.trade_ticks
        table = rule.table(told.liquidity_band) if isinstance(rule, LiquidityTicks) else rule
        if own is not None or table is None:
            return own, None
        if len(table.bands) == 1:
            return int(table.bands[0][1].scaleb(8)), None
        if table.name not in self._numbers:
            self._numbers[table.name] = len(self.tables)
            self.tables.append(table)
        return None, self._numbers[table.name]


def _outside(
    standings: list[Standing], numbers: pa.Int32Array, event: pa.Int64Array, known: pa.Int64Array
) -> pa.BooleanArray:
    """Return which rows are outside the region of their symbol's standing; never one without times or symbol."""
    starts, ends, learned, unlearned = (
        pa.array([one.region[side] for one in standings], pa.int64()).take(numbers) for side in range(4)
    )
    early = pc.or_(pc.less(event, starts), pc.less(known, learned))
    late = pc.or_(pc.greater_equal(event, ends), pc.greater_equal(known, unlearned))
    return pc.fill_null(pc.or_(early, late), False)


def _entity(key: str) -> str:
    code, _, symbol = key.partition(SEPARATOR)
    return symbol_entity(code, symbol)


def _is_symbol(text: str) -> bool:
    return 0 < len(text) <= LONGEST_SYMBOL and text.isprintable() and not any(map(str.isspace, text))
