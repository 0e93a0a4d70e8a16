"""What the quote engine takes, gives and can be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.marketdata.quotes.errors import QuoteRulesError
from vintner.messaging.records import DECIMAL

FEATURES: Final = ("spread_bps_1m", "quote_imbalance_1m", "ofi_1m", "quotes_1m", "crossed_1m")
"""Names of the features, in the order in which the engine tells them."""

INPUT: Final = pa.schema(
    [
        pa.field("lane", pa.int32(), nullable=False),
        pa.field("instrument", pa.string()),
        pa.field("update_id", pa.int64()),
        pa.field("event_time", INSTANT),
        pa.field("knowledge_time", INSTANT, nullable=False),
        pa.field("bid", DECIMAL),
        pa.field("bid_size", DECIMAL),
        pa.field("ask", DECIMAL),
        pa.field("ask_size", DECIMAL),
        pa.field("calendar", pa.int16()),
    ]
)
"""Columns the engine reads; others are let be. A heartbeat has no instrument: only lane and knowledge_time count."""

ALWAYS_STATED: Final = ("update_id", "event_time", "calendar")
"""Columns that every quote states; a side of the book may be missing."""

MAX_LANE: Final = 65_535
_MICROSECOND: Final = timedelta(microseconds=1)


class Verdict(IntEnum):
    """What became of a row."""

    APPLIED = 0
    STALE = 1  # its update id is not above the last: the book stays
    NO_INTERVAL = 2  # the book moves, but outside every session or too late: no feature counts it
    HEARTBEAT = 3
    CROSSED = 4  # applied; it leaves the book locked or crossed


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRules:
    """How the engine keeps time.

    Parameters
    ----------
    tick
        A lane tells what it knows when its clock enters another tick.
    grace
        An interval is told once so much time has passed since its end.
    horizon
        From then on a quote in it changes no feature any more.

    Raises
    ------
    QuoteRulesError
        A tick is not positive, grace is negative, or the horizon is shorter than the grace.
    """

    tick: timedelta = timedelta(milliseconds=250)
    grace: timedelta = timedelta(milliseconds=250)
    horizon: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        self._refuse("tick", self.tick <= timedelta(0), "it is not positive", "ticks are a quarter of a second")
        self._refuse("grace", self.grace < timedelta(0), "it is negative", "0 tells an interval at its end")
        self._refuse("horizon", self.horizon < self.grace, "it is shorter than the grace", "lengthen it")

    def _refuse(self, rule: str, broken: bool, problem: str, remedy: str) -> None:
        if broken:
            raise QuoteRulesError(rule=rule, value=getattr(self, rule), problem=problem, remedy=remedy)

    @property
    def microseconds(self) -> tuple[int, int, int]:
        """Tick, grace and horizon in microseconds."""
        return self.tick // _MICROSECOND, self.grace // _MICROSECOND, self.horizon // _MICROSECOND


@dataclass(frozen=True, slots=True)
class QuoteOutput:
    """What a batch of rows brought.

    Parameters
    ----------
    features
        Rows of :class:`~vintner.messaging.records.FeatureValue`, as they became known.
    lanes
        Lane of each of them (int32).
    verdicts
        :class:`Verdict` of each input row (uint8).
    """

    features: pa.RecordBatch
    lanes: pa.Int32Array
    verdicts: pa.UInt8Array
