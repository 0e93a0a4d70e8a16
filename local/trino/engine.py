"""Athena's statements on real Trino; the second engine behind the laptop's Athena endpoint."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import quote_plus

import pyarrow as pa

from local.athena.engine import (
    AthenaColumn,
    Cancellation,
    Capabilities,
    EngineResult,
    EngineStatistics,
    Statement,
    StatementKind,
)
from local.athena.errors import EngineFaultError, MalformedStatementError, StatementFailedError
from local.athena.text import tokens_of
from local.trino.client import Running, TrinoClient, TrinoResult
from local.trino.errors import TrinoError, TrinoUnreachableError
from local.trino.server import TrinoServer
from local.trino.statements import trino_statements

_KINDS: Final = frozenset(
    {
        StatementKind.QUERY,
        StatementKind.EXPLAIN,
        StatementKind.INSERT,
        StatementKind.UPDATE,
        StatementKind.DELETE,
        StatementKind.MERGE,
        StatementKind.CREATE,
        StatementKind.DROP,
        StatementKind.MAINTAIN,
    }
)
_USER_ERROR: Final = "USER_ERROR"
_LONGEST: Final = 60_000
# What Athena adds: it will not say which of the two it is.
_UNAUTHORIZED: Final = " or requester is not authorized to access requested resources"


class TrinoEngine:
    """Runs statements on a Trino; a :class:`~local.athena.engine.SqlEngine`.

    Parameters
    ----------
    address
        Where it listens.
    server
        The server, when it ends with this engine.
    """

    capabilities = Capabilities(name="Trino", kinds=_KINDS)

    def __init__(self, address: str, server: TrinoServer | None = None) -> None:
        self._address = address
        self._server = server

    def check(self, statement: Statement) -> None:
        """Have a query parsed; see :meth:`local.athena.engine.SqlEngine.check`."""
        tokens = tokens_of(statement.text)
        text = statement.text[: tokens[-1].end + 1]
        if len(quote_plus(text)) > _LONGEST:
            return  # Trino says the text back in a header that would be too long: parsed when it is run
        try:
            # It parses and looks no table up. The statement begins on a line of its own, so columns stay.
            TrinoClient(self._address).run(f"PREPARE checked FROM\n{text}")
        except TrinoError as error:
            if error.line is None:
                raise _failure(error) from error
            raise MalformedStatementError(line=error.line - 1, column=error.column, message=error.message) from error

    def run(self, statement: Statement, cancellation: Cancellation) -> EngineResult:
        """Run a statement; see :meth:`local.athena.engine.SqlEngine.run`."""
        client = TrinoClient(self._address, statement.database)
        *first, last = trino_statements(statement)
        for each in first:
            _run(client, each, cancellation)
        result = _run(client, last, cancellation)
        if statement.kind is StatementKind.QUERY:
            return _answer(result, result.table, result.types)
        if statement.kind is StatementKind.EXPLAIN:
            plan = "\n".join(result.table.column(0).to_pylist()).rstrip().split("\n")
            return _answer(result, pa.table({"Query Plan": plan}), ("varchar",))
        return _answer(result, pa.table({}), ())

    def close(self) -> None:
        """End the server, if it is this engine's."""
        if self._server is not None:
            self._server.stop()


def _answer(result: TrinoResult, table: pa.Table, types: tuple[str, ...]) -> EngineResult:
    return EngineResult(
        table=table,
        columns=tuple(AthenaColumn(name, type_) for name, type_ in zip(table.column_names, types, strict=True)),
        statistics=EngineStatistics(
            scanned_bytes=result.scanned_bytes,
            planning_millis=result.queued_millis,
            execution_millis=result.elapsed_millis,
        ),
        updated=result.changed or 0,
    )


def _run(client: TrinoClient, sql: str, cancellation: Cancellation) -> TrinoResult:
    try:
        running = client.start(sql)
        with cancellation.calling(lambda: _cancel(running)):
            return running.finish()
    except TrinoError as error:
        cancellation.check()
        raise _failure(error) from error
    except TrinoUnreachableError as error:
        raise EngineFaultError(code="GENERIC_INTERNAL_ERROR", message=str(error)) from error


def _cancel(running: Running) -> None:
    with suppress(TrinoUnreachableError):  # whoever waits for the statement is told
        running.cancel()


def _failure(error: TrinoError) -> StatementFailedError:
    kind = StatementFailedError if error.kind == _USER_ERROR else EngineFaultError
    message = error.message + (_UNAUTHORIZED if error.code == "COLUMN_NOT_FOUND" else "")
    return kind(code=error.code, message=message, line=error.line, column=error.column)
