"""A client of Trino's HTTP protocol: one statement in, its rows out as one Arrow table.

1. The statement is posted; the answer holds some rows and the address of the next answer.
2. Addresses are followed until an answer names none. An answer with an error ends the statement.
3. To cancel, the newest address is deleted.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa

from local.trino.errors import TrinoError, TrinoUnreachableError
from local.trino.rows import arrow_table

CATALOG: Final = "awsdatacatalog"
"""Trino's name of the Glue catalog: the one Athena has for it."""

_HEADERS: Final = {
    "X-Trino-User": "athena",
    "X-Trino-Source": "vintner",
    "X-Trino-Time-Zone": "UTC",
    "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",  # without it every time has three digits
}
_SILENCE_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class TrinoResult:
    """What a statement gave.

    Parameters
    ----------
    table
        Its rows.
    types
        Trino's type of each column.
    update
        What kind of change it made, for instance ``INSERT``; None for a query.
    changed
        How many rows it changed; None where Trino does not say.
    scanned_bytes, queued_millis, elapsed_millis
        What it cost.
    """

    table: pa.Table
    types: tuple[str, ...]
    update: str | None
    changed: int | None
    scanned_bytes: int
    queued_millis: int
    elapsed_millis: int


class TrinoClient:
    """Runs statements on one Trino.

    Parameters
    ----------
    address
        ``http://127.0.0.1:port``.
    schema
        Database of names without one.
    session
        Session properties, by their names in Trino.
    """

    def __init__(self, address: str, schema: str = "default", session: Mapping[str, str] | None = None) -> None:
        self._host = urlsplit(address).netloc
        self._address = address
        self._headers = {**_HEADERS, "X-Trino-Catalog": CATALOG, "X-Trino-Schema": schema}
        if session:
            self._headers["X-Trino-Session"] = ",".join(f"{name}={value}" for name, value in session.items())

    def start(self, sql: str) -> Running:
        """Post a statement.

        Raises
        ------
        TrinoUnreachableError
            Nobody answers.
        """
        return Running(self, self.request("POST", "/v1/statement", sql.encode()))

    def run(self, sql: str) -> TrinoResult:
        """Run a statement to its end.

        Raises
        ------
        TrinoError
            It was refused.
        TrinoUnreachableError
            Nobody answers.
        """
        return self.start(sql).finish()

    def request(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Send one request and return its answer."""
        connection = http.client.HTTPConnection(self._host, timeout=_SILENCE_SECONDS)
        try:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise TrinoUnreachableError(address=self._address, reason=error) from error
        finally:
            connection.close()
        if response.status == http.client.NO_CONTENT:
            return {}
        if response.status != http.client.OK:
            raise TrinoUnreachableError(address=self._address, reason=f"{response.status} {said[:200]!r}")
        answer: dict[str, Any] = json.loads(said)
        return answer


class Running:
    """A statement under way; made by :meth:`TrinoClient.start`."""

    def __init__(self, client: TrinoClient, answer: dict[str, Any]) -> None:
        self._client = client
        self._answer = answer
        self._cancelled = threading.Event()

    def finish(self) -> TrinoResult:
        """Wait for the end and return the result.

        Raises
        ------
        TrinoError
            It was refused, or cancelled.
        """
        answer = self._answer
        columns: list[dict[str, Any]] = []
        rows: list[list[Any]] = []
        while True:
            columns = columns or answer.get("columns") or []
            rows += answer.get("data") or []
            if "error" in answer:
                raise TrinoError.from_json(answer["error"])
            if "nextUri" not in answer:
                break
            self._answer = answer
            if self._cancelled.is_set():
                self.cancel()
            answer = self._client.request("GET", urlsplit(answer["nextUri"]).path)
        stats = answer.get("stats") or {}
        return TrinoResult(
            table=arrow_table(columns, rows),
            types=tuple(str(column["type"]) for column in columns),
            update=answer.get("updateType"),
            changed=answer.get("updateCount"),
            scanned_bytes=int(stats.get("processedBytes", 0)),
            queued_millis=int(stats.get("queuedTimeMillis", 0)),
            elapsed_millis=int(stats.get("elapsedTimeMillis", 0)),
        )

    def cancel(self) -> None:
        """Stop it; :meth:`finish`, in whatever thread, then raises."""
        self._cancelled.set()
        following = self._answer.get("nextUri")
        if following:
            self._client.request("DELETE", urlsplit(following).path)
