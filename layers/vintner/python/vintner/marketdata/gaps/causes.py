"""Why something was missing, from what is known around it.

The first that holds of:

1.  a halt of the venue covers the whole silence;
2.  a record that is missing is in quarantine;
3.  the records before and after were brought by different lives of their producer;
4.  they were brought by the same: then its feed lost what was between;
5.  otherwise the cause is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vintner.marketdata.gaps.model import Cause, Gap, GapKind
from vintner.marketdata.gaps.ranges import Range, within


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known around a gap.

    Parameters
    ----------
    refused
        Numbers of the instrument's records that are in quarantine.
    producer_before, producer_after
        Who brought the record before and after it.
    halts
        Times in which the venue had halted the instrument.
    """

    refused: Sequence[Range] = ()
    producer_before: str | None = None
    producer_after: str | None = None
    halts: Sequence[tuple[datetime, datetime]] = ()


def cause_of(gap: Gap, evidence: Evidence) -> Cause:
    """Return the cause of a gap; see the module's order.

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.marketdata.gaps.model import sequence_gap
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> gap = sequence_gap("A@x", (7, 9), opened_at=at, known_at=at)
    >>> cause_of(gap, Evidence(producer_before="ws/1", producer_after="ws/2")).value
    'producer_restart'
    """
    if gap.kind is GapKind.CALENDAR:
        return Cause.VENUE_HALT if _halted(gap, evidence) else Cause.UNKNOWN
    if within(evidence.refused, gap.numbers):
        return Cause.REFUSED_RECORDS
    before, after = evidence.producer_before, evidence.producer_after
    if before is None or after is None:
        return Cause.UNKNOWN
    return Cause.FEED_LOSS if before == after else Cause.PRODUCER_RESTART


def _halted(gap: Gap, evidence: Evidence) -> bool:
    start, end = gap.missing_from, gap.missing_to
    return any(start is not None and end is not None and a <= start and end <= b for a, b in evidence.halts)
