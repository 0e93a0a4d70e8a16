"""The updates and conditions a commit is made of, as PyIceberg's types.

Its models are built by field name and known to type checkers by alias; only this module says so.
"""

# mypy: disable-error-code="call-arg"

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
    ValidatableTableRequirement,
)


class AssertRefs(ValidatableTableRequirement):
    """Every branch and tag is where it was loaded, and there is none besides."""

    type: Literal["vintner-assert-refs"] = "vintner-assert-refs"
    refs: dict[str, int]

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]  # pydantic has one too
        """Refuse metadata whose branches or tags have changed."""
        if base_metadata is None or self.refs != heads(base_metadata):
            raise CommitFailedException("Requirement failed: branches or tags have changed")


def heads(metadata: TableMetadata) -> dict[str, int]:
    """Return where each branch and tag points."""
    return {name: ref.snapshot_id for name, ref in metadata.refs.items()}


def unmoved(table: Table, refs: Iterable[str], *, entirely: bool = False) -> tuple[Any, ...]:
    """Return the conditions that the table is this table, and that branches and tags are where they were loaded.

    Parameters
    ----------
    refs
        The branches and tags meant.
    entirely
        Mean every one, and that no other was made.
    """
    same = AssertTableUUID(uuid=table.metadata.table_uuid)
    if entirely:
        return same, AssertRefs(refs=heads(table.metadata))
    # A table without snapshots has no refs; that it still has none is what there is to ask.
    names = sorted(set(refs)) if table.metadata.snapshots else [MAIN_BRANCH]
    known = heads(table.metadata)
    return same, *(AssertRefSnapshotId(ref=name, snapshot_id=known.get(name)) for name in names)


def set_ref(name: str, kind: SnapshotRefType, snapshot_id: int) -> TableUpdate:
    """Return the update that points a branch or tag to a snapshot."""
    return SetSnapshotRefUpdate(ref_name=name, type=kind, snapshot_id=snapshot_id)


def drop_ref(name: str) -> TableUpdate:
    """Return the update that removes a branch or tag."""
    return RemoveSnapshotRefUpdate(ref_name=name)


def drop_snapshots(snapshot_ids: Iterable[int]) -> TableUpdate:
    """Return the update that removes snapshots."""
    return RemoveSnapshotsUpdate(snapshot_ids=list(snapshot_ids))
