"""Whole series and single facts of one entity, as they were known."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import history, vintage
from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME, REVISION_SEQ, utc
from vintner.lake.model import Dataset

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader


def series_as_known(
    dataset: Dataset,
    entity: str,
    reader: FactReader,
    *,
    known_at: datetime,
    system_at: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pa.Table:
    """Return every fact of ``entity`` as it was known at ``known_at``: one row per event that stood then.

    Parameters
    ----------
    known_at, system_at
        Knowledge cut and, for a replay, system cut; both inclusive.
    start, end
        Keep events in ``[start, end)``; None leaves that side open.

    Returns
    -------
    pa.Table
        ``event_time``, ``knowledge_time``, ``revision_seq`` and the dataset's values, in order of event time.
        Empty if nothing was known.

    Raises
    ------
    NaiveTimeError
        If an instant has no zone.

    Examples
    --------
    >>> series_as_known(MACRO_SERIES, "uk.gdpkp", reader, known_at=datetime(2009, 1, 1, tzinfo=UTC))  # doctest: +SKIP
    """
    facts = reader.read(dataset, entities=[entity], known_to=known_at, ingested_to=system_at)
    known = vintage(facts, known_at=known_at, system_at=system_at)
    if start is not None:
        known = known.filter(pc.greater_equal(known[EVENT_TIME], pa.scalar(utc(start, field="start"), INSTANT)))
    if end is not None:
        known = known.filter(pc.less(known[EVENT_TIME], pa.scalar(utc(end, field="end"), INSTANT)))
    return known.select([EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, *dataset.values.names])


def fact_history(
    dataset: Dataset,
    entity: str,
    event_time: datetime,
    reader: FactReader,
    *,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> pa.Table:
    """Return every version of one fact, in the order they became known, tombstones included.

    Parameters
    ----------
    event_time
        The event of the fact, exactly.
    known_at, system_at
        Leave out versions learned, or ingested, after these instants; None leaves nothing out.

    Returns
    -------
    pa.Table
        All columns of ``dataset.schema``. Empty if the fact was never stated.

    Raises
    ------
    NaiveTimeError
        If an instant has no zone.

    Examples
    --------
    >>> fact_history(MACRO_SERIES, "uk.gdpkp", datetime(2008, 9, 30, tzinfo=UTC), reader)  # doctest: +SKIP
    """
    facts = reader.read(dataset, entities=[entity], known_to=known_at, ingested_to=system_at)
    return history(facts, entity=entity, event_time=event_time, known_at=known_at, system_at=system_at)
