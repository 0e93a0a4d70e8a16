"""The named queries that are plain reads. Those that compute something beside are written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from local.saved_reads.read import READS, SavedRead, table_of
from local.saved_reads.views import view_read
from vintner.bitemporal.sql import Parameter, SqlSource, SqlSpine, SqlStatement
from vintner.features.views import EQUITY_DAILY
from vintner.marketdata import MACRO_SERIES, PRICES_DAILY

_SERIES: Final = table_of(MACRO_SERIES)
_BARS: Final = table_of(PRICES_DAILY)
_FACT: Final = ("event_time", "knowledge_time", "revision_seq")
_GDP: Final = "uk.gdpkp"


def _saved(name: str, description: str, statement: SqlStatement, *, file: str = "") -> SavedRead:
    return SavedRead(folder="named_queries", name=name, description=description, statement=statement, file=file)


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 21, tzinfo=UTC)


def _features_for_a_spine() -> SqlStatement:
    asked = (("AAPL", _day(2008, 10, 31)), ("AAPL", _day(2009, 1, 30)), ("MSFT", _day(2009, 1, 30)))
    spine = SqlSpine(columns=("entity", "series", "at"), time="at", rows=[(symbol, _GDP, at) for symbol, at in asked])
    sources = [
        SqlSource(table=_BARS, columns={"close": "close", "close_time": "event_time"}, ttl=PRICES_DAILY.ttl),
        SqlSource(table=_SERIES, columns={"gdp": "value", "gdp_period": "event_time"}, spine_keys=("series",)),
    ]
    return READS.as_of_join(spine, sources, columns=("entity", "at"), order_by=("at", "entity"))


def _trailing_bars() -> SqlStatement:
    rows = [("AAPL", _day(2015, 6, 30)), ("MSFT", _day(2015, 6, 30)), ("MSFT", _day(2015, 7, 31))]
    source = SqlSource(table=_BARS, columns={"closes": "close", "close_times": "event_time"})
    return READS.trailing(SqlSpine(rows=rows), source, last=5, span=timedelta(days=14), order_by=("time", "entity"))


def _why_missing() -> SqlStatement:
    rows = [(_GDP, _day(2008, 11, 30)), (_GDP, _day(1900, 1, 1)), ("no.such.series", _day(2008, 11, 30))]
    columns = {"value": "value", "period": "event_time"}
    source = SqlSource(table=_SERIES, columns=columns, ttl=timedelta(days=200), reason="reason")
    return READS.as_of_join(SqlSpine(rows=rows), [source], order_by=("entity", "time"))


_READS: Final = (
    _saved(
        "as-of features for a spine",
        "One row per symbol and decision time with the close and the macro value known then. "
        "Put your own rows into the spine.",
        _features_for_a_spine(),
    ),
    _saved(
        EQUITY_DAILY.name.replace("_", " ") + " as of",
        f"The feature view {EQUITY_DAILY.name}, as known, for symbols at decision times.",
        view_read(EQUITY_DAILY),
    ),
    _saved(
        "macro series as known",
        "Every period of a macro series as it was known at one instant.",
        READS.vintage(
            _SERIES, entity=Parameter("series"), known_at=Parameter("instant (UTC)"), columns=(*_FACT, "value")
        ),
    ),
    _saved(
        "macro series at a revision",
        "The newest vintage of a macro series in one revision of the table, which stays the same for ever. "
        "Put a tag or the id of a snapshot in the place of 'main', the newest revision.",
        READS.vintage(
            table_of(MACRO_SERIES, version="main"),
            entity=_GDP,
            known_at=datetime(2024, 1, 1, tzinfo=UTC),
            columns=(*_FACT, "value"),
        ),
    ),
    _saved(
        "prices at a decision time",
        "The newest bar of every symbol that had happened and was known at a decision time. "
        "Change the instant, which is there twice.",
        READS.as_of(_BARS, at=_day(2015, 6, 30), columns=("entity", *_FACT[:2], "close", "adj_close")),
        file="prices_at_decision_time",
    ),
    _saved(
        "trailing bars",
        "The last five closes of a symbol before each decision time, as they were known then, oldest first: what a "
        "rolling feature is made of. Put your own rows into the spine.",
        _trailing_bars(),
    ),
    _saved(
        "why a value is missing",
        "The macro value known at each decision time, at most 200 days old, and where there is none the reason: "
        "never_known, deleted or expired. Put your own rows into the spine.",
        _why_missing(),
    ),
)


def named_reads() -> Sequence[SavedRead]:
    """Return the queries."""
    return _READS
