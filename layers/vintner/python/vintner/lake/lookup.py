"""The versions a table holds under the keys of a batch, read from as little of it as can hold them.

1.  A version key contains its knowledge time, and the ledger bounds that of every row in the table: what is known
    later than the bound cannot be there. A feed that keeps up with the world ends here, without a read.
2.  For the rest, files are left out by the bounds they state: the span of both clocks and the entities (few: by name;
    many: by their span).
3.  Of each file that is left the clocks are read (once a process: files do not change), and compared with those of
    the batch. Where rows agree in both clocks their entity keys are compared, then whole version keys. Rows whose
    version key is in the batch, if there are any, are then read whole.

No step trusts a checkpoint: sequence numbers mean something only within one life of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import DataFile, DataFileContent
from pyiceberg.table import ManifestGroupPlanner, Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.utils.concurrent import ExecutorFactory

from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.lake.columns import read_columns
from vintner.lake.conform import conform
from vintner.lake.filecache import FileCache
from vintner.lake.keyed import members, storage
from vintner.lake.ledger import Ledger
from vintner.lake.model import Dataset
from vintner.lake.predicates import at_least, at_most, every, one_of

MANY: Final = 200
"""Above this many entities a look-up goes by their span: no file is left out by a longer list."""

_CLOCKS: Final = FileCache()
"""The clocks of files looked into before: a process that goes on landing reads them once."""


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
    files = _files(table, head, around(dataset, suspects))
    if files is None:
        return _scanned(table, head, dataset, suspects)
    wanted = {name: pc.unique(storage(suspects[name])) for name in dataset.version_key}
    meeting = _meeting(table, dataset, files, wanted)
    return pa.concat_tables([none, *(_matching(table, dataset, file, suspects, wanted) for file in meeting)])


def _files(table: Table, head: Snapshot, bounds: BooleanExpression) -> list[DataFile] | None:
    """Return the data files that may hold rows within bounds; None if rows of them are deleted by position."""
    planner = ManifestGroupPlanner(table.metadata, table.io, bounds)
    entries = chain.from_iterable(planner.plan_manifest_entries(head.manifests(table.io)))
    files = [entry.data_file for entry in entries]
    return files if all(file.content == DataFileContent.DATA for file in files) else None


def _meeting(table: Table, dataset: Dataset, files: list[DataFile], wanted: dict[str, pa.Array]) -> list[DataFile]:
    """Return the files that have a row whose clocks are both among those wanted."""
    if not files:
        return []

    def read(file: DataFile) -> pa.Table:
        return _CLOCKS.get(file.file_path, lambda: read_columns(table, dataset, file, (EVENT_TIME, KNOWLEDGE_TIME)))

    clocks = list(ExecutorFactory.get_or_create().map(read, files))
    among = _among(pa.concat_tables(clocks), (EVENT_TIME, KNOWLEDGE_TIME), wanted)
    first, meeting = 0, []
    for file, rows in zip(files, clocks, strict=True):
        if pc.any(among.slice(first, rows.num_rows), min_count=0).as_py():
            meeting.append(file)
        first += rows.num_rows
    return meeting


def _matching(
    table: Table, dataset: Dataset, file: DataFile, suspects: pa.Table, wanted: dict[str, pa.Array]
) -> pa.Table:
    """Return the rows of a file whose version key is among the suspects'."""
    names = dataset.version_key
    rows = read_columns(table, dataset, file, names)
    rows = rows.append_column("place", pa.arange(0, rows.num_rows)).filter(_among(rows, names, wanted))
    rows = rows.filter(members(rows, suspects, names)) if rows.num_rows else rows
    if not rows.num_rows:
        return dataset.schema.empty_table()
    return read_columns(table, dataset, file, dataset.schema.names).take(rows["place"])


def _among(rows: pa.Table, names: Sequence[str], wanted: dict[str, pa.Array]) -> pa.Array:
    """Return, per row, whether the value of each column is one of those wanted (bool)."""
    among = pc.is_in(storage(rows[names[0]]), value_set=wanted[names[0]])
    for name in names[1:]:
        among = pc.and_(among, pc.is_in(storage(rows[name]), value_set=wanted[name]))
    return among


def _scanned(table: Table, head: Snapshot, dataset: Dataset, suspects: pa.Table) -> pa.Table:
    """Return the same by a scan, which knows of deletes."""
    scan = table.scan(row_filter=around(dataset, suspects), snapshot_id=head.snapshot_id)
    present = set(scan.projection().column_names)
    rows = conform(scan.select(*(name for name in dataset.schema.names if name in present)).to_arrow(), dataset)
    return rows.filter(members(rows, suspects, dataset.version_key))


def fact_versions(table: Table, dataset: Dataset, rows: pa.Table) -> pa.Table:
    """Return every version a table holds of the facts that are among the rows, whenever it was known.

    Parameters
    ----------
    rows
        Rows with the entity keys and ``event_time`` of the facts.

    Returns
    -------
    pa.Table
        Rows of the dataset's schema, in no order.
    """
    if table.current_snapshot() is None or not rows.num_rows:
        return dataset.schema.empty_table()
    found = conform(table.scan(row_filter=around_facts(dataset, rows)).to_arrow(), dataset)
    return found.filter(members(found, rows, (*dataset.key_names, EVENT_TIME)))


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
