"""Judging a batch: what of it is new, what is there already, what contradicts what is there.

1.  Number the version keys of the versions held and of the batch together. Of the rows that share a key the one held
    comes first, else the earliest of the batch: it stands.
2.  A row of the batch that stands is *kept*. One that states the same as the row that stands is *repeated*: a
    *redelivery* when the same delivery wrote it, else a *duplicate* sent twice. One that states something else is a
    *conflict*: facts never change, so it is refused and given back.

Two rows state the same when their operation and their values are the same: null is null, NaN is NaN, and floats are
equal when their bits are.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import same
from vintner.bitemporal.model import INGESTED_AT, OP
from vintner.lake.keyed import numbers, storage
from vintner.lake.model import RECORD_ID, Dataset


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of each fact of a batch: every fact is in exactly one of the first four tables.

    All have the dataset's schema, rows in the order of the batch. ``held`` are the rows the lake has under the keys
    of the batch: those kept, and those that were there before.
    """

    kept: pa.Table
    redelivered: pa.Table
    duplicates: pa.Table
    conflicts: pa.Table
    held: pa.Table

    @classmethod
    def nothing(cls, dataset: Dataset) -> Judgement:
        """Return the judgement of an empty batch."""
        none = dataset.schema.empty_table()
        return cls(none, none, none, none, none)


def judge(dataset: Dataset, batch: pa.Table, held: pa.Table) -> Judgement:
    """Sort a batch into kept, redelivered, duplicates and conflicts, against the versions already there.

    Parameters
    ----------
    batch, held
        Rows of the dataset's schema. Where versions held share a key (another writer's doing), the one ingested
        first stands.
    """
    none = dataset.schema.empty_table()
    held = held.sort_by(INGESTED_AT)
    number, first = numbers(pa.concat_tables([held, batch]).select(list(dataset.version_key)), dataset.version_key)
    if not held.num_rows and len(first) == batch.num_rows:
        return Judgement(batch, none, none, none, batch)
    rows = pa.concat_tables([held, batch]).combine_chunks()
    place = pa.arange(held.num_rows, rows.num_rows)
    stands = first.take(number.slice(held.num_rows))
    repeated = pc.not_equal(place, stands)
    again, other = rows.take(place.filter(repeated)), rows.take(stands.filter(repeated))
    agrees = _agrees(dataset, again, other)
    delivered = pc.equal(again[RECORD_ID], other[RECORD_ID])
    return Judgement(
        kept=rows.take(place.filter(pc.invert(repeated))),
        redelivered=again.filter(pc.and_(agrees, delivered)),
        duplicates=again.filter(pc.and_(agrees, pc.invert(delivered))),
        conflicts=again.filter(pc.invert(agrees)),
        held=rows.take(pc.unique(stands)),
    )


def _agrees(dataset: Dataset, rows: pa.Table, others: pa.Table) -> pa.Array:
    agrees = same(rows[OP], others[OP])
    for name in dataset.values.names:
        agrees = pc.and_(agrees, same(storage(rows[name]), storage(others[name])))
    return agrees
