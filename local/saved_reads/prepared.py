"""The prepared statements: every read of one series, and of one symbol's bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from local.saved_reads.read import READS, SavedRead, table_of
from vintner.bitemporal.sql import Parameter, SqlSource, SqlSpine, SqlStatement
from vintner.marketdata import MACRO_SERIES, PRICES_DAILY

_SERIES: Final = table_of(MACRO_SERIES)
_BARS: Final = table_of(PRICES_DAILY)
_FACT: Final = ("entity", "event_time", "knowledge_time", "revision_seq")
_ONE: Final[dict[str, Any]] = {"entity": Parameter("entity"), "columns": (*_FACT, "value")}
_BAR: Final[dict[str, Any]] = {"entity": Parameter("symbol"), "columns": (*_FACT, *PRICES_DAILY.values.names)}
_KNOWN_AT: Final = Parameter("known at (UTC)")
_SYSTEM_AT: Final = Parameter("system cut (UTC)")
_EVENT_CUT: Final = Parameter("event cut (UTC)")
_EVENT_TIME: Final = Parameter("event time (UTC)")


def _history() -> SqlStatement:
    columns = (*_FACT, "op", "value", "ingested_at", "source", "record_id")
    return READS.history(_SERIES, entity=Parameter("entity"), event_time=_EVENT_TIME, columns=columns)


def _explained() -> SqlStatement:
    spine = SqlSpine(columns=("entity", "time"), rows=[(Parameter("entity"), Parameter("time (UTC)"))])
    columns = {"event_time": "event_time", "knowledge_time": "knowledge_time", "value": "value"}
    return READS.as_of_join(spine, [SqlSource(table=_SERIES, columns=columns, reason="reason")])


_READS: Final[tuple[tuple[str, str, SqlStatement], ...]] = (
    (
        "as_of",
        "The as-of read of a macro series: its newest event at the event cut, as known at the knowledge cut.",
        READS.as_of(_SERIES, at=_EVENT_CUT, known_at=_KNOWN_AT, **_ONE),
    ),
    (
        "as_of_replay",
        "The as-of read replayed: as_of, and only with rows that were here at the system cut, with a time to live.",
        READS.as_of(
            _SERIES, at=_EVENT_CUT, known_at=_KNOWN_AT, system_at=_SYSTEM_AT, ttl=Parameter("days to live"), **_ONE
        ),
    ),
    (
        "as_of_explained",
        "The as-of read of a macro series at one instant; without an answer, why: never_known or deleted.",
        _explained(),
    ),
    (
        "exact",
        "What one event of a macro series was thought to be at an instant.",
        READS.exact(_SERIES, event_time=_EVENT_TIME, known_at=_KNOWN_AT, **_ONE),
    ),
    ("history", "Every version of one event of a macro series, in the order it became known.", _history()),
    (
        "next_event",
        "The first event of a macro series after an instant, as known at an instant.",
        READS.next_event(_SERIES, after=Parameter("after (UTC)"), known_at=_KNOWN_AT, **_ONE),
    ),
    (
        "prices_as_of",
        "The newest daily bar of a symbol that had happened and was known at a decision time.",
        READS.as_of(_BARS, at=_EVENT_CUT, known_at=_KNOWN_AT, **_BAR),
    ),
    (
        "vintage",
        "A whole macro series as it was known at an instant.",
        READS.vintage(_SERIES, known_at=_KNOWN_AT, **_ONE),
    ),
    (
        "vintage_replay",
        "A whole macro series as it was known at an instant, by rows that were here at the system cut.",
        READS.vintage(_SERIES, known_at=_KNOWN_AT, system_at=_SYSTEM_AT, **_ONE),
    ),
)


def prepared_reads() -> Sequence[SavedRead]:
    """Return the statements, by the names that ``EXECUTE`` takes."""
    return [
        SavedRead(folder="prepared", name=name, description=description, statement=statement)
        for name, description, statement in _READS
    ]
