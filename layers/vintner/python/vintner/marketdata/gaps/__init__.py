"""Gaps: what should have come and did not, why, and how it is had again."""

from vintner.marketdata.gaps.book import GapBook, missing_of
from vintner.marketdata.gaps.causes import Evidence, cause_of
from vintner.marketdata.gaps.dataset import GAPS
from vintner.marketdata.gaps.errors import GapSourceError, GapStateError, UnknownGapError
from vintner.marketdata.gaps.model import (
    ENDED,
    Cause,
    Gap,
    GapKind,
    GapState,
    calendar_gap,
    gap_id,
    newest,
    sequence_gap,
)
from vintner.marketdata.gaps.repair import repair
from vintner.marketdata.gaps.silences import Silence, Tolerances, calendar_gaps, silences, watch
from vintner.marketdata.gaps.sources import ArchiveSource, HistoricalTradesSource, SecondarySource, SpanSource
from vintner.marketdata.gaps.workshop import RepairLimits, Workshop, producer_of

__all__ = [
    "ENDED", "GAPS", "ArchiveSource", "Cause", "Evidence", "Gap", "GapBook", "GapKind", "GapSourceError", "GapState",
    "GapStateError", "HistoricalTradesSource", "RepairLimits", "SecondarySource", "Silence", "SpanSource",
    "Tolerances", "UnknownGapError", "Workshop", "calendar_gap", "calendar_gaps", "cause_of", "gap_id",
    "missing_of", "newest", "producer_of", "repair", "sequence_gap", "silences", "watch",
]  # fmt: skip
