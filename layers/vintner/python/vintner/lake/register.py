"""Bringing tables back into a catalog that lost them, from the metadata that lies beside their data.

A catalog holds one pointer a table; everything else is in the table's own folder. After the loss of a catalog (a
killed laptop ground, a region) each table is registered again:

1.  List the table's ``*.metadata.json``; their names begin with a version number that grows by one each commit.
2.  The newest version is the state of the table. Of several files of that version only one was ever committed: the
    others belong to writers that were stopped between writing their metadata and learning that they had lost.
    Which is which the files do not say, so the first by name is registered.
3.  Rows that only the other candidates hold are landed once more as a batch of facts: a row that is there already
    is recognised by its version key, so nothing committed is lost and nothing is doubled. They keep the system time
    they were committed with (:func:`vintner.lake.facts.restore_facts` says what that means for system cuts).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import StaticTable, Table

from vintner.lake.conform import conform
from vintner.lake.errors import NoMetadataError
from vintner.lake.facts import restore_facts
from vintner.lake.model import Dataset
from vintner.lake.reader import load_table

_VERSION: Final = re.compile(r"(\d+)-[0-9a-f-]+\.metadata\.json$")

ListFiles = Callable[[str], Iterable[str]]
"""Lists the full locations of the files under a location."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A table that was brought back: the metadata it stands on, its rows, and rows taken from other candidates."""

    table: str
    metadata: str
    rows: int
    recovered: int


def register_table(
    catalog: Catalog,
    database: str,
    warehouse: str,
    name: str,
    files: ListFiles,
    dataset: Dataset | None,
    *,
    newest: bool = False,
) -> Registered | None:
    """Register one table again from its newest metadata; None when there was nothing to mend.

    Parameters
    ----------
    files
        Lists the files under a location of the warehouse.
    dataset
        The dataset the table holds; None for a table without facts (the quarantine).
    newest
        Also mend a table that the catalog has, but at an older version than there is: a catalog restored from a
        backup. Only for a catalog nobody is writing to.

    Raises
    ------
    NoMetadataError
        There is no metadata under the table's location.
    """
    present = metadata_location(catalog, database, name)
    if present is not None and not newest:
        return None
    latest, *others = newest_metadata(f"{warehouse.rstrip('/')}/{name}/metadata", name, files)
    if present is not None:
        if version_of(present) >= version_of(latest):
            return None
        catalog.drop_table((database, name))
    table = catalog.register_table((database, name), latest)
    recovered = sum(_recover(catalog, database, dataset, table, other) for other in others) if dataset else 0
    rows = load_table(catalog, database, name).scan().count()
    return Registered(name, latest, rows, recovered)


def metadata_location(catalog: Catalog, database: str, name: str) -> str | None:
    """Return where the catalog says a table's metadata is, or None if it does not have the table."""
    try:
        return catalog.load_table((database, name)).metadata_location
    except NoSuchTableError:
        return None


def version_of(metadata: str) -> int:
    """Return the version number in the name of a metadata file, -1 if it has none.

    Examples
    --------
    >>> version_of("s3://b/t/metadata/00010-bb.metadata.json")
    10
    """
    match = _VERSION.search(metadata)
    return int(match.group(1)) if match else -1


def newest_metadata(location: str, name: str, files: ListFiles) -> list[str]:
    """Return the metadata files of the highest version under a location, by name.

    Examples
    --------
    >>> names = ["s3://b/t/metadata/00009-aa.metadata.json", "s3://b/t/metadata/00010-bb.metadata.json"]
    >>> newest_metadata("s3://b/t/metadata", "t", lambda location: names)
    ['s3://b/t/metadata/00010-bb.metadata.json']
    """
    versions: dict[int, list[str]] = defaultdict(list)
    for file in files(location):
        versions[version_of(file)].append(file)
    versions.pop(-1, None)
    if not versions:
        raise NoMetadataError(table=name, location=location)
    return sorted(versions[max(versions)])


def _recover(catalog: Catalog, database: str, dataset: Dataset, table: Table, other: str) -> int:
    held = StaticTable.from_metadata(other, table.io.properties).scan().to_arrow()
    if not held.num_rows:
        return 0
    load = partial(load_table, catalog, database, dataset.name)
    return int(restore_facts(load, dataset, conform(held, dataset)).kept.num_rows)
