"""The versions a table holds under the keys of a batch, read from as little of it as can hold them.

1.  A version key contains its knowledge time, and the ledger bounds that of every row in the table: what is known
    later than the bound cannot be there. A feed that keeps up with the world ends here, without a read.
2.  For the rest, the scan is cut by the span of both clocks and by the entities (few: by name; many: by their
    span): manifests and files are left out by the bounds they state.
3.  Of the files that are left only the version key is read. Rows whose key is in the batch, if there are any, are then
    read whole.

No step trusts a checkpoint: sequence numbers mean something only within one life of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.lake.conform import conform
from vintner.lake.keyed import members
from vintner.lake.ledger import Ledger
from vintner.lake.model import Dataset
from vintner.lake.predicates import at_least, at_most, every, one_of

MANY: Final = 200
"""Above this many entities a look-up goes by their span: no file is left out by a longer list."""


def held_versions(table: Table, head: Snapshot | None, dataset: Dataset, batch: pa.Table, ledger: Ledger) -> pa.Table:
    """Return the rows of a snapshot that share a version key with a batch.

    Parameters
    ----------
    head
        The snapshot; None holds nothing.
    batch
        Rows with the columns of the version key.
    ledger
        The ledger of the snapshot.

    Returns
    -------
    pa.Table
        Rows of the dataset's schema, in no order.
    """
    none = dataset.schema.empty_table()
    if head is None or ledger.known_to is None:
        return none
    suspects = batch.filter(pc.less_equal(batch[KNOWLEDGE_TIME], pa.scalar(ledger.known_to, INSTANT)))
    if not suspects.num_rows:
        return none
    names = dataset.version_key
    scan = table.scan(row_filter=around(dataset, suspects), snapshot_id=head.snapshot_id)
    tasks = list(scan.plan_files())
    if not tasks:
        return none
    keys = scan.select(*names)
    found = conform(
        ArrowScan(table.metadata, table.io, keys.projection(), keys.row_filter).to_table(tasks), dataset, names
    )
    if not pc.any(members(found, suspects, names), min_count=0).as_py():
        return none
    whole = scan.select(*(name for name in dataset.schema.names if name in scan.projection().column_names))
    rows = ArrowScan(table.metadata, table.io, whole.projection(), whole.row_filter).to_table(tasks)
    rows = conform(rows, dataset, dataset.schema.names)
    return rows.filter(members(rows, suspects, names))


def around(dataset: Dataset, batch: pa.Table) -> BooleanExpression:
    """Return a filter that every version sharing a key with the batch passes, and few others."""
    bounds: list[BooleanExpression] = []
    for clock in (EVENT_TIME, KNOWLEDGE_TIME):
        bounds += _span(clock, batch[clock])
    for key in dataset.keys:
        bounds += _named(key.name, batch[key.name])
    return every(bounds)


def around_facts(dataset: Dataset, rows: pa.Table) -> BooleanExpression:
    """Return a filter that every version of a fact that is among the rows passes, whenever it was known."""
    bounds = [*_span(EVENT_TIME, rows[EVENT_TIME])]
    for key in dataset.keys:
        bounds += _named(key.name, rows[key.name])
    return every(bounds)


def _named(name: str, column: pa.ChunkedArray) -> Iterable[BooleanExpression]:
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_date(kind)):
        return ()
    values = pc.unique(column)
    return (one_of(name, values.to_pylist()),) if len(values) <= MANY else _span(name, column)


def _span(name: str, column: pa.ChunkedArray) -> Iterable[BooleanExpression]:
    span = pc.min_max(column)
    return at_least(name, span["min"].as_py()), at_most(name, span["max"].as_py())
