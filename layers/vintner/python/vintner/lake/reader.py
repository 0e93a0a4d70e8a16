"""Reading facts from the lake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME, utc
from vintner.lake.conform import conform
from vintner.lake.errors import TableMissingError
from vintner.lake.keyed import members
from vintner.lake.ledger import Ledger
from vintner.lake.model import Dataset
from vintner.lake.pins import Revision, line_at, snapshot_at
from vintner.lake.predicates import at_most, every, one_of


class FactReader(Protocol):
    """Whatever can hand out the versions of a dataset's facts."""

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[Any] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Revision | None = None,
    ) -> pa.Table:
        """Return versions of these entities (None: all) as rows of ``dataset.schema``, in no order.

        Their knowledge time and ingest time are at or before the given instants (None: no bound). With several
        entity keys an entity is a tuple of their values. ``revision`` pins the read to a state of the lake: a tag, a
        snapshot id, or the instant of a commit.
        """
        ...


class LakeReader:
    """Reads facts from Iceberg tables of one database of a catalog.

    Examples
    --------
    >>> LakeReader(catalog, "vintner_laptop").read(MACRO_SERIES, entities=["uk.gdpkp"])  # doctest: +SKIP
    """

    def __init__(self, catalog: Catalog, database: str) -> None:
        self._catalog = catalog
        self._database = database

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[Any] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Revision | None = None,
    ) -> pa.Table:
        """Return the versions of a dataset's facts; see :meth:`FactReader.read`.

        A system cut reads the line of main that it belongs to (:mod:`vintner.lake.pins`), so a rollback since does
        not change it; at or below :meth:`settled_to` nothing does. A column that was added after the pinned
        revision is null.

        Raises
        ------
        TableMissingError
            The dataset's table is not in the catalog.
        UnknownRevisionError, ExpiredRevisionError
            There is no such revision, or not any more.
        NaiveTimeError
            An instant has no time zone.
        """
        table = self.table(dataset.name)
        snapshot = snapshot_at(table, revision)
        wanted = None if entities is None else list(entities)
        if snapshot is None or wanted == []:
            return dataset.schema.empty_table()
        bounds = _named(dataset, wanted) if wanted is not None else []
        if known_to is not None:
            bounds.append(at_most(KNOWLEDGE_TIME, utc(known_to, field="known_to")))
        if ingested_to is not None:
            cut = utc(ingested_to, field="ingested_to")
            snapshot = line_at(table, snapshot, cut)
            bounds.append(at_most(INGESTED_AT, cut))
        found = scan_rows(table, snapshot, dataset, every(bounds))
        if wanted is None or len(dataset.keys) == 1:
            return found
        keys = pa.schema([dataset.schema.field(name) for name in dataset.key_names])
        named = pa.Table.from_pylist([dict(zip(keys.names, one, strict=True)) for one in wanted], schema=keys)
        return found.filter(members(found, named, dataset.key_names))

    def settled_to(self, dataset: Dataset) -> datetime | None:
        """Return the mark of a table: a system cut at or before it reads the same rows for ever; None without rows.

        Rows committed later carry later stamps. A cut after the mark is not settled yet: pin the mark.

        Raises
        ------
        TableMissingError
            The dataset's table is not in the catalog.
        """
        return Ledger.of(self.table(dataset.name)).mark

    def table(self, name: str) -> Table:
        """Return a table of the database as it is now."""
        return load_table(self._catalog, self._database, name)


def scan_rows(table: Table, snapshot: Snapshot, dataset: Dataset, row_filter: BooleanExpression) -> pa.Table:
    """Return rows of a snapshot, as a dataset declares them."""
    scan = table.scan(row_filter=row_filter, snapshot_id=snapshot.snapshot_id)
    present = set(scan.projection().column_names)
    return conform(scan.select(*(name for name in dataset.schema.names if name in present)).to_arrow(), dataset)


def _named(dataset: Dataset, entities: Sequence[Any]) -> list[BooleanExpression]:
    """Return filters that the rows of these entities pass (with several keys: and few others)."""
    parts = [entities] if len(dataset.keys) == 1 else zip(*entities, strict=True)
    return [one_of(name, part) for name, part in zip(dataset.key_names, parts, strict=True)]


def load_table(catalog: Catalog, database: str, name: str) -> Table:
    """Return a table as it is now.

    Raises
    ------
    TableMissingError
        It is not in the catalog.
    """
    try:
        return catalog.load_table((database, name))
    except NoSuchTableError as cause:
        raise TableMissingError(table=f"{database}.{name}") from cause
