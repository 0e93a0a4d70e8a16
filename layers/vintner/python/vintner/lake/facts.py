"""Landing facts: what of a batch is new, what was there already, what contradicts what is there.

1.  Read the versions the table already holds under the batch's version keys.
2.  Walk the batch in delivery order. A version key not seen yet is *kept*. One seen with the same operation and
    values is *repeated*: a *redelivery* when the same delivery wrote it, else a *duplicate* sent twice. One seen with
    other values is a *conflict*: facts never change, so the later statement is refused and given back.
3.  Append what is kept, together with the ledger (checkpoint and counts), in one exactly-once commit
    (:mod:`vintner.lake.commit`). If another writer came between, all of this is judged again.

Nothing here relies on the checkpoint alone: a batch that is sent again is recognised by its version keys, so a
stream that was restored from a backup, or restarted, loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table

from vintner.bitemporal.model import ENTITY, EVENT_TIME, INGESTED_AT, KNOWLEDGE_TIME, OP, VERSION_KEY
from vintner.lake.commit import Append, append_once
from vintner.lake.ledger import Ledger
from vintner.lake.model import RECORD_ID, Dataset
from vintner.lake.predicates import at_least, at_most, every, one_of

Row = Mapping[str, Any]
MANY_ENTITIES: Final = 500
"""Above this many entities a lookup reads by time alone: a longer list costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of each fact of a batch: every fact is in exactly one of the first four lists.

    ``held`` are the rows the lake has under the keys of the batch: those kept, and those that were there before.
    """

    kept: list[Row] = field(default_factory=list)
    redelivered: list[Row] = field(default_factory=list)
    duplicates: list[Row] = field(default_factory=list)
    conflicts: list[Row] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)


def land_facts(
    load: Callable[[], Table],
    dataset: Dataset,
    facts: Iterable[Row],
    *,
    checkpoints: Mapping[str, int],
    ingested_at: datetime,
    wait: Callable[[float], None] = time.sleep,
) -> Judgement:
    """Land a batch of validated facts exactly once.

    Parameters
    ----------
    load
        Returns the dataset's Iceberg table as it is now.
    facts
        Rows of the dataset's schema (``ingested_at`` may be left out), in delivery order, ``record_id`` naming
        the delivery as ``stream/shard/sequence/position``.
    checkpoints
        Last sequence number of the batch by ``stream/shard``.
    ingested_at
        The system time of rows that do not carry one; the store's clock, never the sender's.

    Raises
    ------
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.append_once`; the batch may be landed again.
    """
    batch: list[Row] = [{INGESTED_AT: ingested_at, **row} for row in facts]

    def plan(table: Table) -> tuple[Append | None, Judgement]:
        ledger = Ledger.of(table)
        judged = judge(dataset, batch, existing_versions(table, dataset, batch))
        fresh = [row for row in judged.duplicates if _is_new(row[RECORD_ID], ledger)]
        if not judged.kept and not fresh:
            return None, judged
        counts = {"kept": len(judged.kept), "duplicates": len(fresh)}
        arrow = pa.Table.from_pylist(judged.kept, schema=dataset.schema)
        arrow = arrow.sort_by([(name, "ascending") for name in VERSION_KEY])
        return Append(arrow, ledger.advanced(checkpoints, counts).summary()), judged

    return append_once(load, plan, wait=wait)


def judge(dataset: Dataset, batch: Iterable[Row], existing: Iterable[Row]) -> Judgement:
    """Sort a batch into kept, redelivered, duplicates and conflicts, against the versions already there."""
    held = {version_key(row): row for row in existing}
    touched = {}
    judged = Judgement()
    for row in batch:
        other = held.setdefault(version_key(row), row)
        touched[version_key(row)] = other
        if other is row:
            judged.kept.append(row)
        elif statement(dataset, other) != statement(dataset, row):
            judged.conflicts.append(row)
        elif other[RECORD_ID] == row[RECORD_ID]:
            judged.redelivered.append(row)
        else:
            judged.duplicates.append(row)
    judged.held.extend(touched.values())
    return judged


def existing_versions(table: Table, dataset: Dataset, batch: list[Row]) -> list[Row]:
    """Read the versions the table holds that may share a version key with the batch."""
    if not batch or table.current_snapshot() is None:
        return []
    found = table.scan(row_filter=_around(batch), selected_fields=tuple(dataset.schema.names)).to_arrow()
    wanted = pa.array({row[ENTITY] for row in batch}, pa.string())
    rows: list[Row] = found.filter(pc.is_in(found[ENTITY], value_set=wanted)).to_pylist()
    return rows


def version_key(row: Row) -> tuple[Any, ...]:
    """Return the key of a version: entity, event time, knowledge time, revision."""
    return tuple(row[name] for name in VERSION_KEY)


def statement(dataset: Dataset, row: Row) -> tuple[Any, ...]:
    """Return what a version states: its operation and values. Two rows that state the same are duplicates."""
    return (str(row[OP]), *(row.get(name) for name in dataset.values.names))


def _around(batch: list[Row]) -> BooleanExpression:
    """Return a filter that every version sharing a key with the batch passes, and few others."""
    bounds: list[BooleanExpression] = []
    for clock in (EVENT_TIME, KNOWLEDGE_TIME):
        instants = [row[clock] for row in batch]
        bounds += [at_least(clock, min(instants)), at_most(clock, max(instants))]
    entities = {row[ENTITY] for row in batch}
    if len(entities) <= MANY_ENTITIES:
        bounds.append(one_of(ENTITY, entities))
    return every(bounds)


def _is_new(record_id: str, ledger: Ledger) -> bool:
    """Whether a delivery is beyond the ledger's checkpoint of its shard, so that it was never counted."""
    shard, sequence, _ = record_id.rsplit("/", 2)
    return int(sequence) > ledger.checkpoints.get(shard, -1)
