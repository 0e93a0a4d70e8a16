"""From accepted records to rows of their dataset, without leaving Arrow."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from vintner.bitemporal.model import INGESTED_AT, OP, REVISION_SEQ, Operation
from vintner.lake.model import RECORD_ID, SOURCE, Dataset
from vintner.marketdata.landing.reading import PRODUCER, record_ids
from vintner.messaging.kinesis import Delivery


def fact_rows(dataset: Dataset, rows: pa.Table, deliveries: Sequence[Delivery]) -> pa.Table:
    """Return records as rows of their dataset: first revisions, each naming its producer and its place.

    Parameters
    ----------
    rows
        Records with every key, clock and value of the dataset, and the columns that say where they came from.
    deliveries
        What the rows' column ``delivery`` counts.

    Returns
    -------
    pa.Table
        The dataset's schema without ``ingested_at``, in the order of ``rows``.
    """
    size = rows.num_rows
    made = {
        REVISION_SEQ: pa.repeat(pa.scalar(0, pa.int64()), size),
        OP: pa.repeat(pa.scalar(Operation.UPSERT.value, pa.string()), size),
        RECORD_ID: record_ids(deliveries, rows),
    }
    schema = dataset.schema.remove(dataset.schema.get_field_index(INGESTED_AT))
    taken = {SOURCE: PRODUCER}
    columns = [made[name] if name in made else rows[taken.get(name, name)] for name in schema.names]
    return pa.table(columns, names=schema.names).cast(schema)
