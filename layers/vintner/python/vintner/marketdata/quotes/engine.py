"""The quote engine: best quotes in delivery order, features of each minute out.

What it computes, per instrument and interval of one minute (within a session, or of the clock), from applied quotes:

1.  A quote is applied unless its update id is not above the last one applied: then it is stale, and nothing changes.
    An applied quote is the book from its event time on (never from before the book it replaces) until the next.
2.  ``spread_bps_1m``: ``2 (ask - bid) / (ask + bid)`` in basis points, and ``quote_imbalance_1m``: ``(bid_size -
    ask_size) / (bid_size + ask_size)``, both weighted by the time they stood, over the part of the interval where both
    sides are there and not crossed. Null where there is no such part. A side without price or size is not there.
3.  ``ofi_1m``: order flow imbalance, the sum over changes of Cont, Kukanov and Stoikov (2014), "The price impact of
    order book events", equation 4, in units of size. A side that is not there counts as size 0.
4.  ``quotes_1m``: applied quotes; ``crossed_1m``: those that left the book locked or crossed.
5.  The book stands across intervals, but not across the open of a session: the first quote of a session has no
    predecessor. An interval without an applied quote has no values.
6.  When values are told: a lane's clock is the running maximum of knowledge times. Entering another tick, before the
    row that does so is applied, the lane tells every interval with ``end + grace <= stamp`` that was not told yet, and
    of those told before and changed since the values that differ; ``knowledge_time`` is the stamp, a whole tick. A
    quote of an interval with ``end + horizon <= stamp`` still becomes the book and is counted nowhere.

So what a lane tells is a function of its rows in their order: how they are batched, and which other lanes are mixed
in, changes nothing.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable, Mapping
from ctypes import byref
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.marketdata.calendars import INTERVALS, SessionTable
from vintner.marketdata.quotes import native
from vintner.marketdata.quotes.columns import Emitted, checked, rows_struct
from vintner.marketdata.quotes.model import QuoteOutput, QuoteRules
from vintner.marketdata.quotes.state import LaneState, packed, unpacked

_BOOK: Final = ctypes.sizeof(native.InstrumentStruct)
_LEFT: Final = ctypes.sizeof(native.PendingStruct)


class QuoteEngine:
    """Rolling state of best quotes, lane by lane; used by one thread at a time.

    Parameters
    ----------
    rules
        How it keeps time.
    sessions
        The calendars that rows name by number.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> from vintner.marketdata.calendars import SessionTable
    >>> from vintner.marketdata.quotes import INPUT
    >>> def quote(update_id, second, bid, ask):
    ...     at = datetime(2026, 1, 5, 12, 0, second, tzinfo=UTC)
    ...     return {"lane": 7, "instrument": "BTCUSDT@binance", "update_id": update_id, "event_time": at,
    ...             "knowledge_time": at, "bid": Decimal(bid), "bid_size": Decimal(3), "ask": Decimal(ask),
    ...             "ask_size": Decimal(1), "calendar": -1}
    >>> minute_later = {"lane": 7, "knowledge_time": datetime(2026, 1, 5, 12, 1, 1, tzinfo=UTC)}
    >>> rows = [quote(1, 0, "99", "101"), quote(2, 30, "98", "102"), minute_later]
    >>> engine = QuoteEngine(QuoteRules(), SessionTable.of({}))
    >>> told = engine.apply(pa.RecordBatch.from_pylist(rows, schema=INPUT))
    >>> dict(zip(told.features["feature"].to_pylist(), told.features["value"].to_pylist()))
    {'spread_bps_1m': 300.0, 'quote_imbalance_1m': 0.5, 'ofi_1m': -2.0, 'quotes_1m': 2.0, 'crossed_1m': 0.0}
    """

    def __init__(self, rules: QuoteRules, sessions: SessionTable) -> None:
        self.rules: Final = rules
        self._sessions: Final = sessions
        self._kernel = native.library()
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        spans = native.RulesStruct(*rules.microseconds, INTERVALS["1m"])
        tables = [(sessions.opens(at), sessions.closes(at)) for at in range(len(sessions.names))]
        self._arrays = tables  # the kernel keeps their addresses
        structs = (native.SessionsStruct * max(len(tables), 1))(
            *(native.SessionsStruct(len(opens), _address(opens), _address(closes)) for opens, closes in tables)
        )
        self._engine = self._kernel.vintner_quotes_new(byref(spans), structs, len(tables))
        if not self._engine:
            raise MemoryError
        weakref.finalize(self, self._kernel.vintner_quotes_free, self._engine)

    @property
    def lanes(self) -> set[int]:
        """The lanes it holds state of."""
        return {lane for lane in range(self._kernel.vintner_quotes_lanes(self._engine)) if self._save(lane)}

    def apply(self, rows: pa.RecordBatch | pa.Table) -> QuoteOutput:
        """Apply rows in their order; return what became known.

        Parameters
        ----------
        rows
            Columns as in :data:`~vintner.marketdata.quotes.INPUT`, lanes mixed in any way.

        Raises
        ------
        QuoteRowsError
            A column is missing or has another type, a quote lacks what it has to state, a lane or calendar is none.
        """
        batch = checked(rows, calendars=len(self._sessions.names))
        numbers = self._numbered(batch["instrument"])
        verdicts = pa.allocate_buffer(max(batch.num_rows, 1))
        waiting = self._kernel.vintner_quotes_apply(
            self._engine, byref(rows_struct(batch, numbers)), ctypes.c_void_p(verdicts.address)
        )
        if waiting < 0:
            raise MemoryError
        emitted = Emitted(waiting)
        self._kernel.vintner_quotes_take(self._engine, byref(emitted.struct()))
        return QuoteOutput(
            features=emitted.features(self._names),
            lanes=emitted.lanes(),
            verdicts=pa.Array.from_buffers(pa.uint8(), batch.num_rows, [None, verdicts], null_count=0),
        )

    def dump(self, lanes: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the state of lanes, of all if none are named, as bytes; those it does not hold are left out."""
        wanted = self.lanes if lanes is None else set(lanes)
        return {lane: packed(state) for lane in sorted(wanted) if (state := self._state(lane)) is not None}

    def load(self, blobs: Mapping[int, bytes]) -> None:
        """Replace lanes by what :meth:`dump` returned.

        Raises
        ------
        QuoteStateError
            One of them cannot be read; then none is replaced.
        """
        states = {lane: unpacked(blob, lane) for lane, blob in blobs.items()}
        for lane, state in states.items():
            books = bytearray(state.books)
            for at, name in enumerate(state.names):
                native.InstrumentStruct.from_buffer(books, at * _BOOK).instrument = self._number(name)
            held = (ctypes.c_char * max(len(books), 1)).from_buffer(books if books else bytearray(1))
            left = ctypes.create_string_buffer(state.pending, max(len(state.pending), 1))
            struct = native.LaneStruct(
                state.clock, state.stamp, len(state.names), len(state.pending) // _LEFT,
                ctypes.addressof(held), ctypes.addressof(left),
            )  # fmt: skip
            if self._kernel.vintner_quotes_load(self._engine, lane, byref(struct)) < 0:
                raise MemoryError

    def forget(self, lanes: Iterable[int]) -> None:
        """Drop the state of lanes; those it does not hold are let be."""
        for lane in lanes:
            self._kernel.vintner_quotes_forget(self._engine, lane)

    def _save(self, lane: int) -> native.LaneStruct | None:
        struct = native.LaneStruct()
        return struct if self._kernel.vintner_quotes_save(self._engine, lane, byref(struct)) else None

    def _state(self, lane: int) -> LaneState | None:
        struct = self._save(lane)
        if struct is None:
            return None
        books = bytearray(_bytes(struct.instrument, struct.instruments * _BOOK))
        names = []
        for at in range(struct.instruments):
            book = native.InstrumentStruct.from_buffer(books, at * _BOOK)
            names.append(self._names[book.instrument])
            book.instrument = at  # numbers are this engine's own; the names say which
        return LaneState(
            clock=struct.clock, stamp=struct.stamp, names=names, books=bytes(books),
            pending=_bytes(struct.left, struct.pending * _LEFT),
        )  # fmt: skip

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _numbered(self, instruments: pa.Array) -> pa.Int32Array:
        coded = pc.dictionary_encode(instruments)
        numbers = pa.array([self._number(name) for name in coded.dictionary.to_pylist()], pa.int32())
        return pc.fill_null(numbers.take(coded.indices), -1)


def _address(array: pa.Int64Array) -> Any:
    return array.buffers()[1].address + array.offset * 8 if len(array) else None


def _bytes(address: int | None, size: int) -> bytes:
    return ctypes.string_at(address, size) if address and size else b""
