"""Orphans: files in a table's folder that no reader and no writer can still need are removed.

1.  List the folder first. What is committed after that is not in the list, and so is not touched.
2.  Load the table, and every ``*.metadata.json`` younger than the safe age: a reader that began within it may hold
    any of them, and a snapshot they name may be expired since.
3.  What those name is needed: manifest lists, manifests, data and delete files, statistics. So is the present
    metadata, what its log names, and every metadata file of its version or a newer one, which a repair of the
    catalog chooses from.
4.  A file older than the safe age that is none of these is an orphan. A writer's files are younger than the commit
    that will name them; so no commit may take longer than the safe age.

Files of other kinds than those a table has are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from vintner.lake.errors import UnsafeAgeError
from vintner.lake.handle import Lake
from vintner.lake.register import version_of

SAFE_AGE: Final = timedelta(days=3)
LEAST_AGE: Final = timedelta(hours=1)
"""No commit and no read may be expected to be over within less."""
CHUNK: Final = 500

_METADATA: Final = ".metadata.json"
_KINDS: Final = re.compile(r"\.(parquet|orc|avro|puffin|stats)$|\.metadata\.json(\.gz)?$")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its store lists it."""

    location: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Orphans:
    """What was removed of a table's folder."""

    table: str
    files: int
    bytes: int


ListStored = Callable[[str], Iterable[StoredFile]]
"""Lists the files under a location."""
Remove = Callable[[Sequence[str]], None]
"""Removes files; one that is not there any more is no error."""


def remove_orphans(
    lake: Lake, name: str, *, stored: ListStored, remove: Remove, safe_age: timedelta = SAFE_AGE
) -> Orphans:
    """Remove the orphans of a table; see the module's steps.

    Raises
    ------
    UnsafeAgeError
        The safe age is less than an hour.
    """
    orphans = find_orphans(lake, name, stored=stored, safe_age=safe_age)
    for start in range(0, len(orphans), CHUNK):
        remove([file.location for file in orphans[start : start + CHUNK]])
    return Orphans(name, len(orphans), sum(file.bytes for file in orphans))


def find_orphans(lake: Lake, name: str, *, stored: ListStored, safe_age: timedelta = SAFE_AGE) -> list[StoredFile]:
    """Return the orphans of a table, by location."""
    if safe_age < LEAST_AGE:
        raise UnsafeAgeError(age=safe_age, least=LEAST_AGE)
    before = lake.clock() - safe_age
    location = lake.load(name).location().rstrip("/")
    # A store that lists by prefix would list the folder `prices_daily` with `prices`.
    inside = [file for file in stored(location) if _path(file.location).startswith(f"{_path(location)}/")]
    files = [file for file in inside if _KINDS.search(file.location)]
    table = lake.load(name)
    young = [f.location for f in files if f.location.endswith(_METADATA) and f.modified_at >= before]
    needed = _needed(table, young)
    newest = version_of(table.metadata_location)
    return sorted(
        (
            file
            for file in files
            if file.modified_at < before
            and _path(file.location) not in needed
            and not (file.location.endswith(_METADATA) and version_of(file.location) >= newest)
        ),
        key=lambda file: file.location,
    )


def _needed(table: Table, young: Iterable[str]) -> set[str]:
    """Return the path of every file that the table, or younger metadata of it, names."""
    needed = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log), *young}
    seen: set[str] = set()
    needed.update(_named(table.metadata, table.io, seen))
    for location in young:
        try:
            metadata = FromInputFile.table_metadata(table.io.new_input(location))
        except FileNotFoundError:
            continue
        needed.update(_named(metadata, table.io, seen))
    return {_path(location) for location in needed}


def _path(location: str) -> str:
    """Return a location without its scheme: engines name one file s3://, s3a:// or s3n://."""
    return location.partition("://")[2] or location


def _named(metadata: TableMetadata, io: FileIO, seen: set[str]) -> Iterator[str]:
    """Yield the files that metadata names, leaving out manifests that were read already."""
    yield from (file.statistics_path for file in (*metadata.statistics, *metadata.partition_statistics))
    for snapshot in metadata.snapshots:
        if snapshot.manifest_list in seen:
            continue
        seen.add(snapshot.manifest_list)
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            yield manifest.manifest_path
            yield from (entry.data_file.file_path for entry in manifest.fetch_manifest_entry(io, discard_deleted=True))
