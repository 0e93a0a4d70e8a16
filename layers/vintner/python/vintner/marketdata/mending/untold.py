"""What a rebuilt state says and the lake does not: told while the state was away, or lost with it.

1.  Of bars the last version is taken, with the partials that followed merged in; a bar that began before the span has
    trades that were not taken, so nothing is said of it. What the lake lacks or says otherwise is told.
2.  Of features and vectors the last version is taken. They roll on from what was before the span, so those of its
    first half are left alone. What the lake lacks is told; what it says otherwise only where the lane could still have
    revised it when it told something last: an older difference is one of what was known when, and stands.
3.  Of gaps those that are open and that the lake does not know are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.marketdata.engine import BAR_KEY
from vintner.marketdata.mending.compare import differing, final_bars, matched, newest
from vintner.marketdata.mending.states import BAR_VALUES
from vintner.messaging.stateful import DerivedRows
from vintner.messaging.stateful.lanes import LANE
from vintner.messaging.streams import BARS, FEATURES_PIT, FEATURES_RAW, Stream

REVISED_WITHIN: Final = timedelta(minutes=20)
"""Longest time after its moment that a feature or a vector is revised."""


@dataclass(frozen=True, slots=True)
class Told:
    """How the rows of a stream are compared: what names one, and what it says."""

    keys: tuple[str, ...]
    values: tuple[str, ...]


COMPARED: Final[Mapping[str, Told]] = {
    BARS.name: Told(BAR_KEY, BAR_VALUES),
    FEATURES_RAW.name: Told(("instrument", "feature", EVENT_TIME), ("value",)),
    FEATURES_PIT.name: Told(("instrument", "view", EVENT_TIME), ("values",)),
}


class Gathered:
    """What a state derived while it was rebuilt, by stream, with lanes; and the facts it stated."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pa.Table]] = {}
        self.facts: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.latest: datetime | None = None

    def add(self, rows: Iterable[DerivedRows], facts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Add what came of some records, in their order."""
        for one in rows:
            if one.rows.num_rows:
                table = pa.Table.from_batches([one.rows]).append_column(LANE, one.lanes)
                self._parts.setdefault(one.stream.name, []).append(table)
                self.knows(pc.max(table[KNOWLEDGE_TIME]).as_py())
        for dataset, fact in facts:
            self.facts[fact["entity"]] = dataset, fact

    def knows(self, at: datetime) -> None:
        """Note an instant that something was known at."""
        self.latest = at if self.latest is None else max(self.latest, at)

    def rows(self, stream: Stream) -> pa.Table | None:
        """Return what was derived for a stream, in order; None if nothing was."""
        parts = self._parts.get(stream.name)
        return pa.concat_tables(parts) if parts else None


def last_told(stream: Stream, rows: pa.Table, *, since: datetime, now: datetime) -> pa.Table:
    """Return of what was derived in a span the last versions that anything can be said of."""
    if stream.name == BARS.name:
        whole = final_bars(rows)
        return whole.filter(pc.greater_equal(whole["starts_at"], pa.scalar(since, INSTANT)))
    last = newest(rows, COMPARED[stream.name].keys)
    return last.filter(pc.greater(last[EVENT_TIME], pa.scalar(since + (now - since) / 2, INSTANT)))


def untold(stream: Stream, last: pa.Table, held: pa.Table) -> pa.Table:
    """Return the rows that have to be told; see the module's steps.

    Parameters
    ----------
    last
        What :func:`last_told` gives.
    held
        The versions the lake holds of them, and of others.
    """
    told = COMPARED[stream.name]
    match = matched(last, newest(held, told.keys), told.keys)
    lacking, other = pc.is_null(match[KNOWLEDGE_TIME]), differing(last, match, told.values)
    if stream.name == BARS.name:
        return last.filter(pc.or_(lacking, other))
    known = pa.table({LANE: last[LANE], "known": match[KNOWLEDGE_TIME]})
    newest_of = known.group_by(LANE, use_threads=False).aggregate([("known", "max")])
    places = pc.index_in(last[LANE], value_set=newest_of[LANE].combine_chunks())
    reached = pc.subtract(newest_of["known_max"].take(places), pa.scalar(REVISED_WITHIN, pa.duration("us")))
    recent = pc.fill_null(pc.greater_equal(last[EVENT_TIME], reached), False)
    return last.filter(pc.or_(lacking, pc.and_(other, recent)))
