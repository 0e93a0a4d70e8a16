"""What was derived, held to what it was derived from: found where it differs, and stated anew."""

from vintner.marketdata.mending.bars import bars_of
from vintner.marketdata.mending.check import SETTLED_AFTER, Verdict, check_bars, days_between, span_of_day
from vintner.marketdata.mending.compare import differing, final_bars, newest
from vintner.marketdata.mending.states import (
    BAR_VALUES,
    PartialsOnTheirWayError,
    batches_of,
    known_at,
    unlanded_partials,
)
from vintner.marketdata.mending.untold import Gathered, last_told, untold

__all__ = [
    "BAR_VALUES", "SETTLED_AFTER", "Gathered", "PartialsOnTheirWayError", "Verdict", "bars_of", "batches_of",
    "check_bars", "days_between", "differing", "final_bars", "known_at", "last_told", "newest", "span_of_day",
    "unlanded_partials", "untold",
]  # fmt: skip
