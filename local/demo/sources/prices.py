"""Daily prices of 20 US stocks, and the instruments they are prices of (data of the ``skfolio`` package).

The file holds back-adjusted closes, one version, as computed by its vendor after the last day. It is stated as
``adj_close``. The traded close is not in the file and the dataset requires a close, so the same number is stated
as ``close``: it is the only price the source gives for the day. Mind what that means: the level of an old price
already reflects later splits and dividends, which no clock can undo. Research that needs traded prices takes a
feed that has them (``make demo DATA=<folder>``).
"""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.errors import PackagedDataChangedError
from local.demo.model import Feed
from local.demo.sources.clocks import session_closes, upserts
from local.demo.sources.packaged import packaged_file, read_packaged_csv
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME

PACKAGE, FILE = "skfolio", "datasets/data/sp500_dataset.csv.gz"
EXCHANGE = "XNYS"
VENDOR_DELAY = timedelta(minutes=30)
"""From the close of a session to the delivery of its prices: the stated rule of this feed."""

FIRST_SESSION = date(2019, 1, 2)


def read_prices(first: date = FIRST_SESSION, last: date | None = None) -> Feed:
    """Read the closes of the sessions from ``first`` to ``last``.

    The event is the close of the session (early on half days); the price is known 30 minutes later.
    """
    symbols = packaged_symbols()
    types = {"Date": pa.date32(), **{symbol: pa.float64() for symbol in symbols}}
    wide = read_packaged_csv(PACKAGE, FILE, columns=types)
    wide = wide.filter(pc.field("Date") >= pa.scalar(first))
    if last is not None:
        wide = wide.filter(pc.field("Date") <= pa.scalar(last))
    events = _closes(wide["Date"].to_pylist())
    return Feed(
        name="skfolio-sp500",
        dataset="prices_daily",
        origin=f"{PACKAGE}/{FILE}",
        known_by_rule="30 minutes after the close of the session (vendor delay)",
        facts=upserts(pa.concat_tables(_long(wide, symbol, events) for symbol in symbols)),
    )


def read_instruments(first: date = FIRST_SESSION) -> Feed:
    """State the instruments of the price file, known from the midnight (UTC) before the first session asked for."""
    symbols = packaged_symbols()
    start = pa.array([datetime(first.year, first.month, first.day, tzinfo=UTC)] * len(symbols), INSTANT)
    facts = pa.table(
        {
            ENTITY: list(symbols),
            EVENT_TIME: start,
            KNOWLEDGE_TIME: start,
            "name": [NAMES.get(symbol, symbol) for symbol in symbols],
            "currency": ["USD"] * len(symbols),
        }
    )
    return Feed(
        name="skfolio-sp500",
        dataset="instruments",
        facts=upserts(facts),
        origin=f"{PACKAGE}/{FILE}",
        known_by_rule="before the first session read",
    )


def packaged_symbols() -> tuple[str, ...]:
    """Return the symbols of the price file, in its order."""
    with gzip.open(packaged_file(PACKAGE, FILE), "rt", encoding="utf-8") as lines:
        header = lines.readline().strip().split(",")
    if header[0] != "Date" or len(header) < 2:
        raise PackagedDataChangedError(file=f"{PACKAGE}/{FILE}", problem=f"its header is {header[:3]}")
    return tuple(header[1:])


def _closes(days: list[date]) -> pa.Array:
    closes = session_closes(EXCHANGE, days[0], days[-1])
    strange = [day for day in days if day not in closes]
    if strange:
        raise PackagedDataChangedError(file=f"{PACKAGE}/{FILE}", problem=f"{strange[0]} is no session of {EXCHANGE}")
    return pa.array([closes[day] for day in days], INSTANT)


def _long(wide: pa.Table, symbol: str, events: pa.Array) -> pa.Table:
    known = pc.add(events, pa.scalar(VENDOR_DELAY, pa.duration("us")))
    table = pa.table(
        {
            ENTITY: pa.repeat(pa.scalar(symbol), len(events)),
            EVENT_TIME: events,
            KNOWLEDGE_TIME: known,
            "close": wide[symbol],
            "adj_close": wide[symbol],
        }
    )
    return table.filter(pc.is_valid(table["close"]))


NAMES = {
    "AAPL": "Apple",
    "AMD": "Advanced Micro Devices",
    "BAC": "Bank of America",
    "BBY": "Best Buy",
    "CVX": "Chevron",
    "GE": "General Electric",
    "HD": "Home Depot",
    "JNJ": "Johnson & Johnson",
    "JPM": "JPMorgan Chase",
    "KO": "Coca-Cola",
    "LLY": "Eli Lilly",
    "MRK": "Merck",
    "MSFT": "Microsoft",
    "PEP": "PepsiCo",
    "PFE": "Pfizer",
    "PG": "Procter & Gamble",
    "RRC": "Range Resources",
    "UNH": "UnitedHealth",
    "WMT": "Walmart",
    "XOM": "ExxonMobil",
}
"""Display names; the file has none."""
