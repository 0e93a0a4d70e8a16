"""The one interface between Athena's API and whatever runs the SQL.

The door (``executions.py``) parses nothing but the outermost form of a statement: it fills in prepared statements and
parameters, takes ``UNLOAD`` apart, answers ``SHOW`` and ``DESCRIBE`` from the catalog, and writes results. An engine
gets the text of one query in Athena's dialect and gives back one Arrow table. A second engine is one class with
the members of :class:`SqlEngine`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from local.athena.errors import StatementCancelledError


class StatementKind(StrEnum):
    """What a statement does, by its first word."""

    QUERY = "SELECT"
    UNLOAD = "UNLOAD"
    EXECUTE = "EXECUTE"
    PREPARE = "PREPARE"
    DEALLOCATE = "DEALLOCATE"
    SHOW = "SHOW"
    DESCRIBE = "DESCRIBE"
    EXPLAIN = "EXPLAIN"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    MERGE = "MERGE"
    CREATE = "CREATE"
    ALTER = "ALTER"
    DROP = "DROP"
    MAINTAIN = "MAINTAIN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement, complete: no ``?`` is left, and names without a database mean ``database``.

    Parameters
    ----------
    text
        SQL in Athena's dialect (Trino's, for queries).
    kind
        What it does.
    database
        Database of the execution context, lower case.
    """

    text: str
    kind: StatementKind
    database: str = "default"


@dataclass(frozen=True, slots=True)
class AthenaColumn:
    """Name and full Trino type of a result column, for instance ``timestamp(6) with time zone``."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineStatistics:
    """What a statement cost. Bytes are those of the Arrow columns read; times are milliseconds."""

    scanned_bytes: int = 0
    planning_millis: int = 0
    execution_millis: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineResult:
    """The rows of a statement with the types Athena gives its columns (names may repeat, as in Trino).

    ``updated`` is how many rows a statement changed that is no query.
    """

    table: pa.Table
    columns: tuple[AthenaColumn, ...]
    statistics: EngineStatistics = field(default_factory=EngineStatistics)
    updated: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What an engine can do; the door refuses the rest, naming the engine.

    Parameters
    ----------
    name
        The engine's name in error messages.
    kinds
        Statements :meth:`SqlEngine.run` accepts.
    """

    name: str
    kinds: frozenset[StatementKind] = field(default_factory=lambda: frozenset({StatementKind.QUERY}))


class Cancellation:
    """A stop button shared by the door and an engine.

    Examples
    --------
    >>> stopped = []
    >>> cancellation = Cancellation()
    >>> with cancellation.calling(lambda: stopped.append(True)):
    ...     cancellation.cancel()
    >>> stopped, cancellation.is_set
    ([True], True)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self.is_set = False

    def cancel(self) -> None:
        """Press the button; what the engine registered is called at once."""
        with self._lock:
            self.is_set = True
            if self._interrupt is not None:
                self._interrupt()

    def check(self) -> None:
        """Raise :class:`StatementCancelledError` when the button was pressed."""
        if self.is_set:
            raise StatementCancelledError

    def calling(self, interrupt: Callable[[], None]) -> _Calling:
        """Have ``interrupt`` called by :meth:`cancel` while the returned context is open."""
        return _Calling(self, interrupt)

    def register(self, interrupt: Callable[[], None] | None) -> None:
        """Set or clear what :meth:`cancel` calls, refusing when it was already pressed."""
        with self._lock:
            if interrupt is not None:
                self.check()
            self._interrupt = interrupt


class _Calling:
    def __init__(self, cancellation: Cancellation, interrupt: Callable[[], None]) -> None:
        self._cancellation = cancellation
        self._interrupt = interrupt

    def __enter__(self) -> None:
        self._cancellation.register(self._interrupt)

    def __exit__(self, *_: object) -> None:
        self._cancellation.register(None)


class SqlEngine(Protocol):
    """Runs statements in Athena's dialect."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    def check(self, statement: Statement) -> None:
        """Refuse at once what does not parse, before a query execution is made.

        Raises
        ------
        MalformedStatementError
            The text is no statement of Athena's.
        """
        ...

    def run(self, statement: Statement, cancellation: Cancellation) -> EngineResult:
        """Run one statement.

        Raises
        ------
        StatementFailedError
            The statement is wrong, in Athena's words, or asks for what this engine refuses.
        StatementCancelledError
            It was stopped through ``cancellation``.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds; nothing runs any more."""
        ...
