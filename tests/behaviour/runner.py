"""What an engine must offer to be asked by the behaviour suite."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from vintner.bitemporal.sql import Dialect


class SqlRunner(Protocol):
    """An engine that holds tables and answers SQL.

    Table and column names are plain lower-case identifiers. ``run`` is given one statement without a semicolon,
    in the runner's dialect, that names its tables by the name alone (the runner sets catalog and schema). What
    comes back: timestamps with a zone as ``timestamp[us, UTC]``, without a zone as ``timestamp[us]``, strings as
    ``string``, whole numbers as any integer type, lists as ``list`` of such; rows in the order the engine gave.
    """

    @property
    def name(self) -> str:
        """The engine, as a test's name shows it: ``duckdb``, ``trino``, ``spark``."""
        ...

    @property
    def dialect(self) -> Dialect:
        """The dialect that ``run`` understands."""
        ...

    def create(self, table: str, rows: pa.Table) -> None:
        """Make a table of these rows, in place of any of that name; its columns keep their types."""
        ...

    def run(self, sql: str) -> pa.Table:
        """Return all rows of a query."""
        ...

    def drop(self, table: str) -> None:
        """Remove a table; nothing happens when there is none."""
        ...
