"""The rows of a stream as its engine takes them: what normalisation accepts, and heartbeats, each in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import KNOWLEDGE_TIME
from vintner.marketdata.normalise import Normalised
from vintner.messaging.stateful.lanes import HEARTBEAT, LANE, SENT_AT

_PLACE = "place"


def timeline(
    rows: pa.Table, normalise: Callable[[pa.Table], Normalised], engine_input: pa.Schema
) -> tuple[pa.RecordBatch, Counter[str]]:
    """Return normalised records and heartbeats in their order, and how many records were refused by rule.

    Parameters
    ----------
    rows
        What :class:`~vintner.messaging.stateful.Work` is given.
    normalise
        Judges the records.
    engine_input
        Columns of the result. A heartbeat has only ``lane`` and ``knowledge_time``.
    """
    placed = rows.append_column(_PLACE, pa.arange(0, rows.num_rows))
    beats = placed.filter(placed[HEARTBEAT])
    records = placed.filter(pc.invert(placed[HEARTBEAT])) if beats.num_rows else placed
    parts, refused = [], Counter[str]()
    if records.num_rows:
        normalised = normalise(records)
        refused.update(normalised.refused["rule"].to_pylist())
        parts.append(normalised.rows.select([*engine_input.names, _PLACE]))
    if beats.num_rows:
        parts.append(_as_input(beats, engine_input))
    merged = pa.concat_tables(parts) if len(parts) == 1 else pa.concat_tables(parts).sort_by(_PLACE)
    batch = merged.drop_columns(_PLACE).cast(engine_input).combine_chunks()
    return pa.RecordBatch.from_arrays([_flat(column) for column in batch.columns], schema=engine_input), refused


def clocks(batch: pa.RecordBatch) -> dict[int, datetime]:
    """Return the latest knowledge time of each lane."""
    latest = (
        pa.Table.from_batches([batch.select([LANE, KNOWLEDGE_TIME])])
        .group_by(LANE)
        .aggregate([(KNOWLEDGE_TIME, "max")])
    )
    return dict(zip(latest[LANE].to_pylist(), latest[f"{KNOWLEDGE_TIME}_max"].to_pylist(), strict=True))


def _as_input(beats: pa.Table, engine_input: pa.Schema) -> pa.Table:
    told = {LANE: beats[LANE], KNOWLEDGE_TIME: beats[SENT_AT]}
    columns = [told.get(field.name, pa.nulls(beats.num_rows, field.type)) for field in engine_input]
    return pa.table([*columns, beats[_PLACE]], names=[*engine_input.names, _PLACE])


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
