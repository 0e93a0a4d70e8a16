"""Three ways to ask the same questions: the library, the HTTP API, Athena SQL.

Each gives its answers in one form (:class:`local.demo.compare.Answer`), with Python's own numbers and UTC instants,
so that they can be compared cell by cell. No path knows anything of another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from infra.named_queries import read_named_queries
from infra.paths import NAMED_QUERIES
from local.demo.compare import Answer, plain
from local.demo.errors import AnswerPathError
from vintner.aws.http import SignedSession
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT
from vintner.features import EQUITY_DAILY, feature_table, series_as_known
from vintner.lake import FactReader
from vintner.marketdata import MACRO_SERIES

TIME: Final = "time"
FEATURES: Final = tuple(feature.name for feature in EQUITY_DAILY.features)
SERIES: Final = (EVENT_TIME, "knowledge_time", "revision_seq", "value")
POLL_S: Final = 0.05


class AnswerPath(Protocol):
    """One way of asking."""

    name: str

    def series(self, entity: str, known_at: datetime) -> Answer:
        """Return a macro series as known at an instant, by event time."""
        ...

    def features(self, symbols: Sequence[str], decisions: Sequence[datetime]) -> Answer:
        """Return the view ``equity_daily`` for every symbol at every decision, by symbol and time."""
        ...


def spine_of(symbols: Sequence[str], decisions: Sequence[datetime]) -> pa.Table:
    """Return the spine of every symbol at every decision."""
    pairs = [(symbol, at) for at in decisions for symbol in symbols]
    times = pa.array([at for _, at in pairs], INSTANT)
    return pa.table({ENTITY: pa.array([symbol for symbol, _ in pairs], pa.string()), TIME: times})


class LibraryPath:
    """The library in this process, over the lake."""

    name = "library"

    def __init__(self, reader: FactReader) -> None:
        self._reader = reader

    def series(self, entity: str, known_at: datetime) -> Answer:
        """See :meth:`AnswerPath.series`."""
        return _answer(series_as_known(MACRO_SERIES, entity, self._reader, known_at=known_at), keys=(EVENT_TIME,))

    def features(self, symbols: Sequence[str], decisions: Sequence[datetime]) -> Answer:
        """See :meth:`AnswerPath.features`."""
        return _answer(self.table(symbols, decisions), keys=(ENTITY, TIME))

    def table(self, symbols: Sequence[str], decisions: Sequence[datetime]) -> pa.Table:
        """Return the feature table as the library makes it."""
        return feature_table(EQUITY_DAILY, spine_of(symbols, decisions), self._reader)


class ApiPath:
    """The HTTP API, each request signed."""

    name = "HTTP API"

    def __init__(self, url: str, session: SignedSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    def series(self, entity: str, known_at: datetime) -> Answer:
        """See :meth:`AnswerPath.series`."""
        query = {"entity": entity, "known_at": known_at.isoformat()}
        found = self._session.request("GET", f"{self._url}/v1/datasets/{MACRO_SERIES.name}/vintage", params=query).json
        return _from_json(found, keys=(EVENT_TIME,), instants=(EVENT_TIME, "knowledge_time"))

    def features(self, symbols: Sequence[str], decisions: Sequence[datetime]) -> Answer:
        """See :meth:`AnswerPath.features`."""
        rows = [{ENTITY: symbol, TIME: at.isoformat()} for at in decisions for symbol in symbols]
        url = f"{self._url}/v1/features/{EQUITY_DAILY.name}/as-of"
        found = self._session.request("POST", url, json={"rows": rows}).json
        return _from_json(found, keys=(ENTITY, TIME), instants=(TIME,))

    def online(self, symbols: Sequence[str]) -> Answer:
        """Return the features of every symbol as served now, by symbol."""
        url = f"{self._url}/v1/features/{EQUITY_DAILY.name}/online"
        found = self._session.request("GET", url, params={ENTITY: list(symbols)}).json
        return Answer.of(found["columns"], found["rows"], keys=(ENTITY,))


class AthenaPath:
    """Athena SQL: the named queries of ``athena/``, by plain boto3.

    Parameters
    ----------
    client
        A boto3 Athena client.
    """

    name = "Athena SQL"

    def __init__(self, client: Any, *, workgroup: str, database: str, folder: Path = NAMED_QUERIES) -> None:
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._sql = {query.name: query.sql for query in read_named_queries(folder)}

    def series(self, entity: str, known_at: datetime) -> Answer:
        """See :meth:`AnswerPath.series`."""
        found = self._run("macro series as known", [_text(entity), _text(_instant(known_at))])
        return _parsed(found, keys=(EVENT_TIME,), columns=SERIES)

    def features(self, symbols: Sequence[str], decisions: Sequence[datetime]) -> Answer:
        """See :meth:`AnswerPath.features`; decisions go by their day, and all have one time of day."""
        clock = {at.time() for at in decisions}
        if len(clock) != 1:
            raise ValueError("decisions of several times of day need several queries")
        days = ",".join(at.date().isoformat() for at in decisions)
        arguments = [_text(",".join(symbols)), _text(days), _text(clock.pop().isoformat())]
        found = self._run("equity daily as of", arguments)
        return _parsed(found, keys=(ENTITY, TIME), columns=(ENTITY, TIME, *FEATURES))

    def _run(self, name: str, arguments: Sequence[str]) -> list[dict[str, Any]]:
        try:
            execution = self._executed(name, arguments)
            return _rows(self._client.get_paginator("get_query_results").paginate(**execution))
        except (ClientError, BotoCoreError) as error:
            raise AnswerPathError(path=self.name, question=name, problem=str(error)) from error

    def _executed(self, name: str, arguments: Sequence[str]) -> dict[str, str]:
        started = self._client.start_query_execution(
            QueryString=self._sql[name],
            QueryExecutionContext={"Database": self._database},
            WorkGroup=self._workgroup,
            ExecutionParameters=list(arguments),
        )
        execution = {"QueryExecutionId": started["QueryExecutionId"]}
        while True:
            status = self._client.get_query_execution(**execution)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return execution
            if status["State"] in ("FAILED", "CANCELLED"):
                problem = status.get("StateChangeReason", status["State"])
                raise AnswerPathError(path=self.name, question=name, problem=problem)
            time.sleep(POLL_S)


def _answer(table: pa.Table, *, keys: Sequence[str]) -> Answer:
    columns = [[plain(value) for value in table[name].to_pylist()] for name in table.column_names]
    return Answer.of(table.column_names, list(zip(*columns, strict=True)), keys=keys)


def _from_json(found: Mapping[str, Any], *, keys: Sequence[str], instants: Sequence[str]) -> Answer:
    """Read ``{"columns", "rows"}``; instants are texts there."""
    columns = found["columns"]
    at = {place for place, name in enumerate(columns) if name in instants}
    rows = [
        [plain(datetime.fromisoformat(cell)) if place in at else cell for place, cell in enumerate(row)]
        for row in found["rows"]
    ]
    return Answer.of(columns, rows, keys=keys)


def _rows(pages: Any) -> list[dict[str, Any]]:
    """Return Athena's result rows by column name, cells read by the column's type; the header row is left out."""
    rows: list[dict[str, Any]] = []
    header_seen = False
    for page in pages:
        info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        for row in page["ResultSet"]["Rows"]:
            if header_seen:
                cells = zip(info, row["Data"], strict=True)
                rows.append({column["Name"]: _cell(column["Type"], data) for column, data in cells})
            header_seen = True
    return rows


def _cell(kind: str, data: Mapping[str, str]) -> Any:
    text = data.get("VarCharValue")
    if text is None:
        return None
    if kind in ("double", "float"):
        return float(text)
    if kind in ("bigint", "integer"):
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind.startswith("timestamp"):
        return plain(datetime.fromisoformat(text.replace(" UTC", "+00:00")))
    return text


def _parsed(rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str], columns: Sequence[str]) -> Answer:
    return Answer.of(columns, [[row[name] for name in columns] for row in rows], keys=keys)


def _text(value: str) -> str:
    """Return a SQL text literal, as execution parameters have to be."""
    quoted: str = value.replace("'", "''")
    return f"'{quoted}'"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
