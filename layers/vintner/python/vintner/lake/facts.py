"""Landing facts: what of a batch is new is appended, exactly once, stamped with the system time of the commit.

1.  Read the versions the table already holds under the batch's version keys (:mod:`vintner.lake.lookup`).
2.  Judge the batch against them in delivery order (:mod:`vintner.lake.judging`).
3.  Stamp what is kept: ``ingested_at`` is the store's clock at this attempt, and always later than every stamp the
    table has promised (:mod:`vintner.lake.ledger`).
4.  Append it, sorted, together with the ledger (checkpoint, counts, mark) in one exactly-once commit
    (:mod:`vintner.lake.commit`). If another writer came between, all of this is done again.

Nothing here relies on the checkpoint alone: a batch that is sent again is recognised by its version keys, so a
stream that was restored from a backup, or restarted, loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

from vintner.bitemporal.model import INGESTED_AT, INSTANT, KNOWLEDGE_TIME
from vintner.lake.commit import Change, append, commit_once
from vintner.lake.judging import Judgement, judge
from vintner.lake.keyed import sorted_by
from vintner.lake.ledger import Ledger
from vintner.lake.lookup import held_versions
from vintner.lake.model import RECORD_ID, Dataset

Row = Mapping[str, Any]
Facts: TypeAlias = pa.Table | Iterable[Row] | Callable[[Table], pa.Table]
"""Rows as a table, one mapping each, or what makes them of the table they are to be landed in."""
Clock = Callable[[], datetime]
"""Tells the present, zoned: the store's clock, read anew at every attempt to commit."""


def land_facts(
    load: Callable[[], Table],
    dataset: Dataset,
    facts: Facts,
    *,
    checkpoints: Mapping[str, int],
    clock: Clock,
    wait: Callable[[float], None] = time.sleep,
) -> Judgement:
    """Land a batch of validated facts exactly once.

    Parameters
    ----------
    load
        Returns the dataset's Iceberg table as it is now.
    facts
        Rows of the dataset's schema, as a table or one mapping each, in delivery order, ``record_id`` naming the
        delivery as ``stream/shard/sequence/position``. An ``ingested_at`` they have is not looked at. Rows that depend
        on what the table holds are given as a function of it: it is asked at every attempt to commit, so they follow
        from the very state they are added to.
    checkpoints
        Last sequence number of the batch by ``stream/shard``.
    clock
        The store's clock, never the sender's.

    Returns
    -------
    Judgement
        What became of each; the rows kept carry the ``ingested_at`` they were committed with.

    Raises
    ------
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.commit_once`; the batch may be landed again.
    """
    stated = facts if callable(facts) else as_batch(dataset, facts)

    def plan(table: Table) -> tuple[Change | None, Judgement]:
        head = table.current_snapshot()
        ledger = Ledger.at(table, head)
        batch = as_batch(dataset, stated(table)) if callable(stated) else stated
        judged = judge(dataset, batch, held_versions(table, head, dataset, batch, ledger))
        stamp = ledger.stamp(clock())
        return _plan(table, dataset, stamped(judged, stamp), ledger, checkpoints, stamp)

    return commit_once(load, plan, wait=wait)


def restore_facts(
    load: Callable[[], Table],
    dataset: Dataset,
    facts: pa.Table,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Judgement:
    """Land rows that the table has lost, with the ``ingested_at`` they were committed with.

    Only for rows of this very table, taken from metadata that its catalog no longer knows. They keep their stamps, for
    whoever read them then pinned a system cut at or above those, and must find them again. The promise that a cut at
    or below the mark reads the same rows for ever therefore holds through such a repair for cuts below the earliest
    stamp restored, which is later than the mark of the last version that every candidate descends from; a cut above
    it belongs to the one commit whose fate the loss left open. From the repair on, the mark is at or above every
    stamp, and the promise holds for all cuts up to it.

    Raises
    ------
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.commit_once`; the rows may be landed again.
    """
    batch = as_batch(dataset, facts).set_column(
        dataset.schema.get_field_index(INGESTED_AT), dataset.schema.field(INGESTED_AT), facts[INGESTED_AT]
    )

    def plan(table: Table) -> tuple[Change | None, Judgement]:
        head = table.current_snapshot()
        ledger = Ledger.at(table, head)
        judged = judge(dataset, batch, held_versions(table, head, dataset, batch, ledger))
        return _plan(table, dataset, judged, ledger, {}, pc.max(judged.kept[INGESTED_AT]).as_py())

    return commit_once(load, plan, wait=wait)


def as_batch(dataset: Dataset, facts: pa.Table | Iterable[Row]) -> pa.Table:
    """Return facts as a table of the dataset's schema in which ``ingested_at`` is not stated yet."""
    at = dataset.schema.get_field_index(INGESTED_AT)
    stated = dataset.schema.remove(at)
    if isinstance(facts, pa.Table):
        rows = facts.select(stated.names).cast(stated)
    else:
        rows = pa.Table.from_pylist(list(facts), schema=stated)
    return rows.add_column(at, dataset.schema.field(INGESTED_AT), pa.nulls(rows.num_rows, INSTANT)).combine_chunks()


def _plan(
    table: Table,
    dataset: Dataset,
    judged: Judgement,
    ledger: Ledger,
    checkpoints: Mapping[str, int],
    stamp: datetime | None,
) -> tuple[Change | None, Judgement]:
    fresh = sum(_is_new(record_id, ledger) for record_id in judged.duplicates[RECORD_ID].to_pylist())
    kept = judged.kept.num_rows
    if not kept and not fresh:
        return None, judged
    advanced = ledger.advanced(
        checkpoints,
        {"kept": kept, "duplicates": fresh},
        mark=stamp if kept else None,
        known_to=pc.max(judged.kept[KNOWLEDGE_TIME]).as_py(),
    )
    rows = sorted_by(judged.kept, dataset.sort_names)
    return append(table, rows, advanced.summary()), judged


def stamped(judged: Judgement, stamp: datetime) -> Judgement:
    """Return a judgement whose new rows carry a stamp; those that were there keep theirs."""

    def filled(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index(INGESTED_AT)
        instant = pa.scalar(stamp, INSTANT)
        return rows.set_column(at, rows.schema.field(at), pc.fill_null(rows[INGESTED_AT], instant))

    return replace(judged, kept=filled(judged.kept), held=filled(judged.held))


def _is_new(record_id: str, ledger: Ledger) -> bool:
    """Whether a delivery is beyond the ledger's checkpoint of its shard, so that it was never counted."""
    shard, sequence, _ = record_id.rsplit("/", 2)
    return int(sequence) > ledger.checkpoints.get(shard, -1)
