"""The exactly-once append: rows and the consumer's checkpoint land in one Iceberg commit, or neither does.

1.  Load the table as it is now and let the caller *plan*: given the present state, which rows are still to be
    added, and which summary properties go with them.
2.  Write the data files and manifests, and ask the catalog to swap the metadata pointer on the condition that the
    table is still the one that was planned against. Exactly one attempt is made: PyIceberg's own retry would
    rebase the append without planning again, and after its last attempt deletes the manifests although a commit
    whose answer was lost may have landed.
3.  The swap answers "conflict": load again. If our snapshot is there after all (the first answer was lost and the
    transport asked again), it landed. Otherwise it never will, since the version it was conditioned on is gone:
    remove what was staged, wait, and go to 1.
4.  The swap answers nothing (a timeout, a broken connection): the outcome is unknown. Load again; if our snapshot
    is there it landed. Otherwise it may land later, so nothing is removed, and 1 is safe all the same: either the
    late commit lands first and the next plan sees its rows, or the next attempt does and the late one is refused.
5.  The swap is refused for another reason (rights, a malformed call) and our snapshot is not there: that error is
    raised. Unlike a conflict it does not rule out that an earlier try of the transport is still on its way, so what
    was staged is left for the removal of orphans.
6.  Out of attempts: :class:`CommitRefusedError` when the last word was a conflict, :class:`CommitUnknownError` when
    it was silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from vintner.lake.errors import CommitRefusedError, CommitUnknownError
from vintner.lake.staging import discard, refused, stage, swap

ATTEMPTS: Final = 8
FIRST_WAIT_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Append:
    """What one commit adds: rows of the table's schema, and properties of its snapshot's summary."""

    rows: pa.Table
    summary: Mapping[str, str]


Result = TypeVar("Result")
Plan = Callable[[Table], tuple["Append | None", Result]]
"""Given the present table: what to append (None: nothing), and what the caller wants to know of the plan."""


def append_once(load: Callable[[], Table], plan: Plan[Result], *, wait: Callable[[float], None] = time.sleep) -> Result:
    """Append what ``plan`` asks for, exactly once, whatever happens to the answers of the catalog.

    Parameters
    ----------
    load
        Returns the table as it is now; called before every attempt.
    plan
        Called with the loaded table before every attempt. It must recognise rows that already landed.
    wait
        Sleeps for a number of seconds between attempts.

    Returns
    -------
    The result of the plan that landed (or that had nothing to write).

    Raises
    ------
    CommitRefusedError
        Other writers won every attempt. Nothing was written.
    CommitUnknownError
        The catalog did not answer the last attempt, and the table could not show what became of it.
    Exception
        The catalog declined: its own error, which names the right or the field that is wrong.
    """
    table = load()
    tried: list[int] = []
    cause: Exception | None = None
    for attempt in range(ATTEMPTS):
        append, result = plan(table)
        if append is None:
            return result
        staged, snapshot_id = stage(table, append.rows, append.summary)
        tried.append(snapshot_id)
        cause = swap(table, staged)
        if cause is None:
            return result
        table = _load_again(load, table, snapshot_id, cause)
        if any(table.metadata.snapshot_by_id(one) is not None for one in tried):
            return result
        if isinstance(cause, CommitFailedException):
            discard(staged)
        if refused(cause):
            raise cause
        if attempt < ATTEMPTS - 1:
            wait(FIRST_WAIT_S * 2**attempt * _spread(snapshot_id))
    name = ".".join(table.name())
    if isinstance(cause, CommitFailedException):
        raise CommitRefusedError(table=name, attempts=ATTEMPTS) from cause
    raise CommitUnknownError(table=name, snapshot_id=tried[-1], cause=repr(cause)) from cause


def _load_again(load: Callable[[], Table], table: Table, snapshot_id: int, cause: Exception) -> Table:
    try:
        return load()
    except Exception as again:  # the table cannot be read, for whatever reason: nobody knows
        raise CommitUnknownError(table=".".join(table.name()), snapshot_id=snapshot_id, cause=repr(cause)) from again


def _spread(snapshot_id: int) -> float:
    """Return a factor in [0.5, 1.5) that differs between writers, so that they do not collide again."""
    return 0.5 + snapshot_id % 4096 / 4096
