"""One generated file: its head, as every file of ``athena/`` has it, and its statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vintner.bitemporal.sql import Dialect, SqlReads, SqlStatement, SqlTable
from vintner.lake.model import Dataset

READS: Final = SqlReads(Dialect.ATHENA)
_NOTE: Final = "-- Written by `make sql` from local/saved_reads; edit it there."


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedRead:
    """A named query or prepared statement.

    Parameters
    ----------
    folder
        ``prepared`` or ``named_queries``.
    name
        What Athena calls it; the file is named after it, or ``file``.
    description
        What it answers; the parameters are added.
    statement
        The read.
    """

    folder: str
    name: str
    description: str
    statement: SqlStatement
    file: str = ""

    @property
    def path(self) -> str:
        """Path of the file below ``athena/``."""
        return f"{self.folder}/{self.file or re.sub('[^a-z0-9]+', '_', self.name)}.sql"

    @property
    def content(self) -> str:
        """The whole file."""
        told = [self.description]
        if self.statement.parameters:
            told.append(f"Parameters: {', '.join(_in_order(self.statement.parameters))}.")
        return f"-- name: {self.name}\n-- description: {' '.join(told)}\n{_NOTE}\n{self.statement.text}"


def table_of(dataset: Dataset, *, version: str | None = None) -> SqlTable:
    """Return a declared dataset's table."""
    return SqlTable.of(dataset.name, dataset.schema, version=version)


def _in_order(parameters: Sequence[str]) -> list[str]:
    return [f"{name} again" if name in parameters[:place] else name for place, name in enumerate(parameters)]
