"""Maintenance of a whole database: compaction, then expiry, then the removal of orphans, table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from vintner.lake.handle import Lake
from vintner.lake.maintenance.compact import FEW, Compacted, compact
from vintner.lake.maintenance.expire import KEEP_FOR, KEEP_LAST, Expired, expire
from vintner.lake.maintenance.orphans import SAFE_AGE, ListStored, Orphans, Remove, remove_orphans
from vintner.lake.model import FILE_BYTES, Dataset
from vintner.lake.quarantine import ARRIVED_AT
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.revisions.records import SEQUENCE, revision_records
from vintner.lake.revisions.records import TABLE as REVISIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """How a database is maintained: the settings of the three steps."""

    few: int = FEW
    keep_for: timedelta = KEEP_FOR
    keep_last: int = KEEP_LAST
    safe_age: timedelta = SAFE_AGE


STANDARD: Final = Upkeep()


def maintain(
    lake: Lake, datasets: Iterable[Dataset], *, stored: ListStored, remove: Remove, upkeep: Upkeep = STANDARD
) -> Iterator[Compacted | Expired | Orphans]:
    """Maintain the tables of these datasets, the quarantine and the revisions; yield each thing as it is done.

    It may be stopped anywhere and run again, beside readers and writers.

    Parameters
    ----------
    stored, remove
        List and remove files of the warehouse.

    Examples
    --------
    >>> for done in maintain(lake, DATASETS.values(), stored=stored, remove=remove):  # doctest: +SKIP
    ...     print(done)
    """
    tables = [(dataset.name, dataset.sort_names, dataset.file_bytes) for dataset in datasets]
    tables += [(QUARANTINE, (ARRIVED_AT,), FILE_BYTES), (REVISIONS, (SEQUENCE,), FILE_BYTES)]
    for name, sort, file_bytes in tables:
        yield from compact(lake, name, sort=sort, file_bytes=file_bytes, few=upkeep.few)
        pinned = {one.snapshot_id for one in revision_records(lake, name) if one.snapshot_id is not None}
        yield expire(lake, name, pinned=pinned, keep_for=upkeep.keep_for, keep_last=upkeep.keep_last)
        yield remove_orphans(lake, name, stored=stored, remove=remove, safe_age=upkeep.safe_age)
