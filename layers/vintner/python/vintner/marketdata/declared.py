"""From a declared stream to the dataset its records are landed in: the record type says the columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME
from vintner.lake.model import Column, Dataset, Layout
from vintner.messaging.records import fields_of
from vintner.messaging.streams import Stream


def stream_dataset(
    stream: Stream,
    *,
    name: str,
    doc: str,
    keys: Sequence[str],
    layout: Layout,
    added: Collection[Column] = (),
    left_out: Collection[str] = (),
    sort: tuple[str, ...] = (),
    ttl: timedelta | None = None,
    served: bool = True,
    least: Collection[str] = (),
    above_zero: Collection[str] = (),
) -> Dataset:
    """Return the dataset of a stream: a column for each field of its records that is no clock.

    Parameters
    ----------
    keys
        Which columns name an entity, in this order.
    added
        Columns that a record gets on its way to the lake.
    left_out
        Fields of the record that the lake does not keep.
    least
        Columns that may not be below zero.
    above_zero
        Columns that have to be above zero.

    Examples
    --------
    >>> from vintner.messaging.streams import SIGNALS
    >>> dataset = stream_dataset(
    ...     SIGNALS, name="signals", doc="Signals.", keys=("signal_id",), layout=Layout.MONTH_OF_EVENT
    ... )
    >>> dataset.values.names
    ['model', 'instrument', 'score', 'horizon_seconds']
    """
    columns = {column.name: column for column in added}
    for field in fields_of(stream.record):
        if field.name in (EVENT_TIME, KNOWLEDGE_TIME, *left_out):
            continue
        columns[field.name] = Column(
            name=field.name,
            type=field.type,
            doc=field.doc,
            required=not field.nullable,
            minimum=0.0 if field.name in least else None,
            exclusive_minimum=0.0 if field.name in above_zero else None,
        )
    return Dataset(
        name=name,
        doc=doc,
        stream=stream.name,
        keys=tuple(columns.pop(key) for key in keys),
        columns=tuple(columns.values()),
        layout=layout,
        sort=sort,
        ttl=ttl,
        served=served,
    )
