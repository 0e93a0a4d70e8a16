"""Where what was missing can be had again: secondary sources, and the forms in which they hold trades.

A source answers with rows of ``schema_of(Trade)``. They are received now, whatever the source: nobody here could have
acted on them earlier. Only the lake's own rows keep the time at which they were received.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from vintner.bitemporal.model import INSTANT
from vintner.marketdata.gaps.errors import GapSourceError
from vintner.messaging.records import DECIMAL, Trade, schema_of

TRADE: Final[pa.Schema] = schema_of(Trade)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DUMP: Final = ("trade_id", "price", "size", "notional", "time", "buyer_is_maker", "best_match")
"""Columns of the daily trade files that Binance publishes, which have no header; some older ones lack the last."""
_MICROSECONDS_FROM: Final = 10**15
"""From here on a time is in microseconds, below in milliseconds: spot files changed over in 2025."""


class SecondarySource(Protocol):
    """Holds trades by id."""

    @property
    def name(self) -> str:
        """A short name: letters, digits and hyphens."""
        ...

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        """Return the trades it has with ids from first to last, as rows of ``schema_of(Trade)``; it may have fewer.

        Raises
        ------
        GapSourceError
            It could not be asked, or its answer could not be read.
        """
        ...


class SpanSource(Protocol):
    """Holds trades by time."""

    @property
    def name(self) -> str:
        """A short name: letters, digits and hyphens."""
        ...

    def fetch_span(self, instrument: str, start: datetime, end: datetime) -> pa.Table:
        """Return the trades it has with event times in ``[start, end)``, as rows of ``schema_of(Trade)``.

        Raises
        ------
        GapSourceError
            It could not be asked, or its answer could not be read.
        """
        ...


def venue_and_symbol(instrument: str) -> tuple[str, str]:
    """Return venue and symbol of an instrument in its usual form.

    Examples
    --------
    >>> venue_and_symbol("BTCUSDT@binance-spot")
    ('binance-spot', 'BTCUSDT')
    """
    symbol, _, venue = instrument.rpartition("@")
    return venue, symbol


class ArchiveSource:
    """An archive of trades in files: Parquet or CSV, below ``<prefix>/<venue>/<symbol>/``.

    A file has the columns of a trade by name (``trade_id, event_time, price, size`` at least), or is a daily trade
    file as Binance publishes them, without a header.

    Parameters
    ----------
    list_files
        Names of the files in a folder.
    read_file
        Content of a file.
    prefix
        Folder of the archive.
    clock
        Tells the present: when what is fetched is received.
    """

    name = "archive"

    def __init__(
        self,
        list_files: Callable[[str], Iterable[str]],
        read_file: Callable[[str], bytes],
        prefix: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._list = list_files
        self._read = read_file
        self._prefix = prefix.rstrip("/")
        self._clock = clock

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        """Return trades by id; see :meth:`SecondarySource.fetch`."""
        return self._found(instrument, lambda rows: _between(rows["trade_id"], first_id, last_id))

    def fetch_span(self, instrument: str, start: datetime, end: datetime) -> pa.Table:
        """Return trades by time; see :meth:`SpanSource.fetch_span`."""
        last = end - timedelta(microseconds=1)
        return self._found(
            instrument,
            lambda rows: _between(rows["event_time"], pa.scalar(start, INSTANT), pa.scalar(last, INSTANT)),
        )

    def _found(self, instrument: str, wanted: Callable[[pa.Table], Any]) -> pa.Table:
        venue, symbol = venue_and_symbol(instrument)
        found = [TRADE.empty_table()]
        for name in sorted(self._list(f"{self._prefix}/{venue}/{symbol}")):
            if name.endswith((".parquet", ".csv")):
                rows = _read_archive(self.name, instrument, name, self._read(name), self._clock())
                found.append(rows.filter(wanted(rows)))
        return pa.concat_tables(found)


class HistoricalTradesSource:
    """Binance's REST for historical trades (``GET /api/v3/historicalTrades?symbol=&fromId=&limit=``), or one like it.

    Parameters
    ----------
    get
        Returns the body of the answer to a query, given as path and parameters. It raises ``GapSourceError``.
    venues
        Codes of the venues it answers for.
    limit
        Trades asked for at once; Binance gives at most 1,000.
    """

    name = "historical-trades"
    PATH: Final = "/api/v3/historicalTrades"

    def __init__(
        self,
        get: Callable[[str, Mapping[str, str]], bytes],
        *,
        venues: Sequence[str],
        clock: Callable[[], datetime],
        limit: int = 1000,
    ) -> None:
        self._get = get
        self._venues = frozenset(venues)
        self._clock = clock
        self._limit = limit

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        """Return trades by id, page by page; see :meth:`SecondarySource.fetch`."""
        venue, symbol = venue_and_symbol(instrument)
        found = [TRADE.empty_table()]
        at = first_id
        while venue in self._venues and at <= last_id:
            limit = min(self._limit, last_id - at + 1)
            body = self._get(self.PATH, {"symbol": symbol, "fromId": str(at), "limit": str(limit)})
            page = historical_trades(body, instrument, self._clock())
            if not page.num_rows or (newest := pc.max(page["trade_id"]).as_py()) < at:
                break
            found.append(page.filter(_between(page["trade_id"], at, last_id)))
            at = newest + 1
        return pa.concat_tables(found)


def historical_trades(body: bytes, instrument: str, received_at: datetime) -> pa.Table:
    """Return the trades of one page of Binance's historical trades.

    Raises
    ------
    GapSourceError
        The answer is no list of trades.

    Examples
    --------
    >>> body = b'[{"id": 7, "price": "10.5", "qty": "2", "time": 1723075200000, "isBuyerMaker": true}]'
    >>> rows = historical_trades(body, "BTCUSDT@binance-spot", datetime(2026, 1, 5, tzinfo=UTC)).to_pylist()
    >>> rows[0]["trade_id"], rows[0]["price"], rows[0]["aggressor"]
    (7, Decimal('10.50000000'), 'sell')
    """
    try:
        stated = json.loads(body)
        rows = {
            "trade_id": [one["id"] for one in stated],
            "event_time": [_time(one["time"]) for one in stated],
            "price": [Decimal(one["price"]) for one in stated],
            "size": [Decimal(one["qty"]) for one in stated],
            "aggressor": ["sell" if one["isBuyerMaker"] else "buy" for one in stated],
        }
        return _trades(pa.table(rows), instrument, received_at)
    except (ValueError, KeyError, TypeError, InvalidOperation, OverflowError, pa.ArrowException) as cause:
        raise _unreadable(HistoricalTradesSource.name, instrument, "a page of trades", cause) from cause


def _read_archive(source: str, instrument: str, name: str, content: bytes, received_at: datetime) -> pa.Table:
    try:
        if name.endswith(".parquet"):
            return _trades(pq.read_table(io.BytesIO(content)), instrument, received_at)
        if content[:1].isdigit():
            return _trades(_dump(content), instrument, received_at)
        return _trades(_csv(content, None), instrument, received_at)
    except (pa.ArrowException, ValueError, KeyError, TypeError, InvalidOperation, OSError) as cause:
        raise _unreadable(source, instrument, name, cause) from cause


def _csv(content: bytes, names: Sequence[str] | None) -> pa.Table:
    """Read a CSV file; prices stay text until they are decimals, for a double would round them."""
    if not content.strip():
        return TRADE.empty_table()
    text = {name: pa.string() for name in ("price", "size", "conditions", "aggressor", "symbol", "venue")}
    kinds = text | {"trade_id": pa.int64(), "event_time": INSTANT, "received_at": INSTANT}
    return pv.read_csv(
        io.BytesIO(content),
        read_options=pv.ReadOptions(column_names=names),
        convert_options=pv.ConvertOptions(column_types=kinds, strings_can_be_null=True),
    )


def _dump(content: bytes) -> pa.Table:
    columns = content.split(b"\n", 1)[0].count(b",") + 1
    rows = _csv(content, _DUMP[:columns])
    sides = pc.if_else(pc.equal(pc.utf8_lower(rows["buyer_is_maker"].cast(pa.string())), "true"), "sell", "buy")
    return pa.table(
        {
            "trade_id": rows["trade_id"],
            "event_time": pa.array([_time(one) for one in rows["time"].to_pylist()], INSTANT),
            "price": rows["price"],
            "size": rows["size"],
            "aggressor": sides,
        }
    )


def _trades(rows: pa.Table, instrument: str, received_at: datetime) -> pa.Table:
    """Return rows as trades of an instrument that were received now; columns that were not given are null."""
    venue, symbol = venue_and_symbol(instrument)
    known = {
        "venue": pa.repeat(pa.scalar(venue), rows.num_rows),
        "symbol": pa.repeat(pa.scalar(symbol), rows.num_rows),
        "received_at": pa.repeat(pa.scalar(received_at, INSTANT), rows.num_rows),
    }
    columns = []
    for field in TRADE:
        if field.name in known:
            columns.append(known[field.name])
        elif field.name in rows.column_names or not field.nullable:
            columns.append(_column(rows[field.name], field.type))
            if columns[-1].null_count and not field.nullable:
                problem, remedy = f"{field.name} is null in a trade", "mend what it holds there"
                raise GapSourceError(source="read", instrument=instrument, problem=problem, remedy=remedy)
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.table(columns, schema=TRADE)


def _column(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    if kind == DECIMAL and not pa.types.is_decimal(column.type):
        return pa.array([Decimal(str(one)) for one in column.to_pylist()], DECIMAL)
    return column.cast(kind)


def _between(column: Any, first: Any, last: Any) -> Any:
    return pc.and_(pc.greater_equal(column, first), pc.less_equal(column, last))


def _time(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number if number >= _MICROSECONDS_FROM else number * 1000)


def _unreadable(source: str, instrument: str, what: str, cause: Exception) -> GapSourceError:
    problem = f"{what} cannot be read ({type(cause).__name__}: {cause})"
    return GapSourceError(source=source, instrument=instrument, problem=problem, remedy="see what it holds there")


def parts(rows: pa.Table, most: int) -> Iterator[pa.RecordBatch]:
    """Yield rows as batches of at most so many."""
    for start in range(0, rows.num_rows, most):
        piece = rows.slice(start, most).combine_chunks()
        yield from piece.to_batches()


def each_once(rows: pa.Table, *then_by: str) -> pa.Table:
    """Return rows by ascending trade id, of each the first (by further columns, ascending).

    Examples
    --------
    >>> each_once(pa.table({"trade_id": [2, 1, 2], "source": ["b", "a", "a"]}), "source")["source"].to_pylist()
    ['a', 'a']
    """
    rows = rows.sort_by([(name, "ascending") for name in ("trade_id", *then_by)])
    ids = rows["trade_id"].combine_chunks()
    if not len(ids):
        return rows
    return rows.filter(pa.concat_arrays([pa.array([True]), pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))]))
