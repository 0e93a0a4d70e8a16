"""Reading facts from the lake."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table

from vintner.bitemporal.model import ENTITY, INGESTED_AT, KNOWLEDGE_TIME, utc
from vintner.lake.errors import TableMissingError
from vintner.lake.model import Dataset
from vintner.lake.predicates import at_most, every, one_of


class FactReader(Protocol):
    """Whatever can hand out the versions of a dataset's facts."""

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[str] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
    ) -> pa.Table:
        """Return versions of these entities (None: all) as rows of ``dataset.schema``, in no order.

        Their knowledge time and ingest time are at or before the given instants (None: no bound).
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
        entities: Collection[str] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
    ) -> pa.Table:
        """Return the versions of a dataset's facts; see :meth:`FactReader.read`.

        Raises
        ------
        TableMissingError
            The dataset's table is not in the catalog.
        NaiveTimeError
            An instant has no time zone.
        """
        bounds: list[BooleanExpression] = []
        if entities is not None:
            if not entities:
                return dataset.schema.empty_table()
            bounds.append(one_of(ENTITY, entities))
        if known_to is not None:
            bounds.append(at_most(KNOWLEDGE_TIME, utc(known_to, field="known_to")))
        if ingested_to is not None:
            bounds.append(at_most(INGESTED_AT, utc(ingested_to, field="ingested_to")))
        found = self.table(dataset.name).scan(row_filter=every(bounds)).to_arrow()
        return found.select(dataset.schema.names).cast(dataset.schema)

    def table(self, name: str) -> Table:
        """Return a table of the database as it is now."""
        return load_table(self._catalog, self._database, name)


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
