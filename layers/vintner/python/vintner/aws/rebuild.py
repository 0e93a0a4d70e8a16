"""Rebuilding the online store from the lake, which alone is the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, INSTANT
from vintner.features.online import OnlineStore
from vintner.lake.model import Dataset

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader

Progress = Callable[[str, int, int], None]
"""Told the dataset, the rows done and the rows in all."""

CHUNK_ROWS: Final = 5_000
"""Rows put between two reports of progress."""


def rebuild_online(
    reader: FactReader,
    store: OnlineStore,
    datasets: Iterable[Dataset],
    progress: Progress | None = None,
    *,
    now: datetime,
) -> Mapping[str, int]:
    """Put every version the lake holds, and that can still be an answer, into the online store.

    Putting is idempotent, so this may run while the processors do, be stopped half-way and be run again. It adds and
    never removes: to prove a store equal to the lake, begin with an empty table.

    Parameters
    ----------
    reader
        The lake.
    store
        Where the versions go.
    datasets
        What to rebuild.
    now
        The instant of rebuilding: what is older than a dataset's ttl then is left out, as the processors do.
    progress
        Called before the first and after every chunk of rows with the dataset, rows done, rows in all.

    Returns
    -------
    Mapping
        Versions put, by dataset.

    Examples
    --------
    >>> rebuild_online(reader, DynamoOnlineStore("vintner-dev-online"), DATASETS.values(), now=now)  # doctest: +SKIP
    {'instruments': 20, 'prices_daily': 5040}
    """
    return {dataset.name: _rebuild(reader, store, dataset, progress or _silent, now) for dataset in datasets}


def _rebuild(reader: FactReader, store: OnlineStore, dataset: Dataset, progress: Progress, now: datetime) -> int:
    rows = reader.read(dataset)
    if dataset.ttl is not None:
        rows = rows.filter(pc.greater_equal(rows[EVENT_TIME], pa.scalar(now - dataset.ttl, INSTANT)))
    progress(dataset.name, 0, rows.num_rows)
    put = 0
    for start in range(0, rows.num_rows, CHUNK_ROWS):
        put += store.put(dataset, rows.slice(start, CHUNK_ROWS))
        progress(dataset.name, min(start + CHUNK_ROWS, rows.num_rows), rows.num_rows)
    return put


def _silent(dataset: str, done: int, total: int) -> None:
    """Report nothing."""
