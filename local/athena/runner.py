"""Runs one statement from its text to its result files.

1. ``EXECUTE`` is replaced by the prepared statement it names, and ``?`` by the values given.
2. ``PREPARE`` and ``DEALLOCATE`` change the workgroup's statements; ``SHOW`` and ``DESCRIBE`` ask the catalog.
3. Everything else goes to the engine, if it can do it; ``UNLOAD`` gives it the query inside.
4. The result is written where Athena would write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from local.athena.catalog_statements import CatalogStatements
from local.athena.engine import (
    AthenaColumn,
    Cancellation,
    EngineStatistics,
    SqlEngine,
    Statement,
    StatementKind,
)
from local.athena.errors import InvalidAthenaRequestError, MissingPreparedStatementError, StatementFailedError
from local.athena.exports import check_unload, export
from local.athena.results import ResultSet, ResultStore, read_csv, write_csv, write_metadata, write_text
from local.athena.saved import PreparedStatements
from local.athena.statements import (
    fill_parameters,
    kind_of,
    parse_deallocate,
    parse_execute,
    parse_prepare,
    parse_unload,
)

_CATALOG_KINDS: Final = frozenset({StatementKind.SHOW, StatementKind.DESCRIBE})
_UTILITY: Final = _CATALOG_KINDS | {StatementKind.EXPLAIN}
_DDL: Final = frozenset(
    {StatementKind.CREATE, StatementKind.ALTER, StatementKind.DROP, StatementKind.PREPARE, StatementKind.DEALLOCATE}
)
_WRITERS: Final = (
    "tables are changed by the library's writers, so that every row keeps its clocks; real Trino takes what Athena "
    "takes: make up SQL=trino"
)
_REMEDIES: Final = {
    StatementKind.EXPLAIN: "explain it in an account, or on real Trino: make up SQL=trino",
    StatementKind.CREATE: f"{_WRITERS} (awswrangler: ctas_approach=False, unload_approach=True for large results)",
}
_NOTHING: Final = ResultSet((), [], has_header=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One statement as a client asked for it."""

    id: str
    text: str
    database: str
    workgroup: str
    parameters: tuple[str, ...]
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a statement left behind."""

    results: ResultSet
    statistics: EngineStatistics = field(default_factory=EngineStatistics)
    manifest: str | None = None


def statement_type(kind: StatementKind) -> str:
    """Return ``DML``, ``DDL`` or ``UTILITY``."""
    if kind in _UTILITY:
        return "UTILITY"
    return "DDL" if kind in _DDL else "DML"


def output_suffix(kind: StatementKind) -> str:
    """Return how the name of a statement's result file ends."""
    if kind is StatementKind.UNLOAD:
        return ""
    return ".csv" if statement_type(kind) == "DML" else ".txt"


class StatementRunner:
    """Runs statements with one engine.

    Parameters
    ----------
    engine
        Runs queries.
    prepared
        Prepared statements.
    catalog
        Answers ``SHOW`` and ``DESCRIBE``.
    store
        Takes result files.
    """

    def __init__(
        self, engine: SqlEngine, prepared: PreparedStatements, catalog: CatalogStatements, store: ResultStore
    ) -> None:
        self._engine = engine
        self._prepared = prepared
        self._catalog = catalog
        self._store = store

    def check(self, text: str, workgroup: str) -> StatementKind:
        """Refuse what Athena refuses before it makes an execution; return what the statement will do.

        Raises
        ------
        MalformedStatementError
            It does not parse.
        InvalidAthenaRequestError
            It executes a statement that is not there.
        """
        kind = kind_of(text)
        if kind is StatementKind.EXECUTE:
            execute = parse_execute(text)
            try:
                return kind_of(self._prepared.get(execute.name, workgroup).text)
            except MissingPreparedStatementError as error:
                raise InvalidAthenaRequestError(message=str(error)) from error
        if kind is StatementKind.UNLOAD:
            self._check_query(parse_unload(text).query)
        elif kind is StatementKind.QUERY:
            self._check_query(text)
        elif kind is StatementKind.PREPARE:
            parse_prepare(text)
        elif kind is StatementKind.DEALLOCATE:
            parse_deallocate(text)
        return kind

    def _check_query(self, text: str) -> None:
        self._engine.check(Statement(text=text, kind=StatementKind.QUERY))

    def run(self, task: Task, cancellation: Cancellation) -> Outcome:
        """Run a statement and write its results.

        Raises
        ------
        StatementFailedError, StatementCancelledError
            As :meth:`local.athena.engine.SqlEngine.run`.
        """
        text = self._filled(task)
        kind = kind_of(text)
        if kind is StatementKind.PREPARE:
            prepare = parse_prepare(text)
            self._prepared.put(prepare.name, task.workgroup, prepare.query)
            return self._kept(task, kind, Outcome(results=_NOTHING))
        if kind is StatementKind.DEALLOCATE:
            self._prepared.remove(parse_deallocate(text), task.workgroup)
            return self._kept(task, kind, Outcome(results=_NOTHING))
        if kind in _CATALOG_KINDS:
            return self._kept(task, kind, Outcome(results=self._catalog.run(text, task.database)))
        if kind is StatementKind.UNLOAD:
            return self._unload(task, text, cancellation)
        result = self._engine.run(self._allowed(text, kind, task.database), cancellation)
        results = ResultSet.from_engine(result, has_header=kind is StatementKind.QUERY)
        return self._kept(task, kind, Outcome(results=results, statistics=result.statistics))

    def reload(self, location: str, columns: tuple[AthenaColumn, ...]) -> ResultSet:
        """Return the rows of an earlier statement from its result file."""
        if location.endswith(".csv"):
            return ResultSet(columns, read_csv(self._store.get(location))[1:], has_header=True)
        if not location.endswith(".txt"):
            return ResultSet(columns, [], has_header=False)
        lines = self._store.get(location).decode().splitlines()
        return ResultSet(columns, [[line] for line in lines], has_header=False)

    def _filled(self, task: Task) -> str:
        text, values = task.text, task.parameters
        kind = kind_of(text)
        if kind is StatementKind.EXECUTE:
            execute = parse_execute(text)
            text = self._prepared.get(execute.name, task.workgroup).text
            values = execute.arguments or values
        return text if kind is StatementKind.PREPARE else fill_parameters(text, values)

    def _allowed(self, text: str, kind: StatementKind, database: str) -> Statement:
        capabilities = self._engine.capabilities
        if kind not in capabilities.kinds:
            remedy = _REMEDIES.get(kind, _WRITERS)
            raise StatementFailedError(
                code="NOT_SUPPORTED",
                message=f"{kind.value} is not run by the laptop's {capabilities.name} engine: {remedy}",
                line=1,
                column=1,
            )
        return Statement(text=text, kind=kind, database=database)

    def _unload(self, task: Task, text: str, cancellation: Cancellation) -> Outcome:
        unload = parse_unload(text)
        check_unload(unload, self._store)
        statement = self._allowed(unload.query, StatementKind.QUERY, task.database)
        result = self._engine.run(statement, cancellation)
        exported = export(unload, result, self._store)
        manifest = f"{task.output}{task.id}-manifest.csv"
        columns = ResultSet(result.columns, [], has_header=False)
        self._store.put(manifest, exported.manifest)
        self._store.put(f"{task.output}{task.id}.metadata", write_metadata(columns))
        return Outcome(results=columns, statistics=result.statistics, manifest=manifest)

    def _kept(self, task: Task, kind: StatementKind, outcome: Outcome) -> Outcome:
        location = f"{task.output}{task.id}{output_suffix(kind)}"
        write = write_csv if kind is StatementKind.QUERY else write_text
        self._store.put(location, write(outcome.results))
        self._store.put(f"{location}.metadata", write_metadata(outcome.results))
        return outcome


def printable_parameters(values: Sequence[object]) -> tuple[str, ...]:
    """Return execution parameters as the texts they have to be.

    Raises
    ------
    InvalidAthenaRequestError
        One is no text.
    """
    for value in values:
        if not isinstance(value, str) or not value:
            raise InvalidAthenaRequestError(message=f"ExecutionParameters holds {value!r}, which is no text")
    return tuple(str(value) for value in values)
