"""Named queries and prepared statements: kept in memory, opened with those of the repository's ``athena/`` folder."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.named_queries import read_named_queries
from local.athena.errors import InvalidAthenaRequestError, MissingPreparedStatementError

_SPACE: Final = uuid.UUID("5f0a3c0e-1f9e-5b0f-9d53-6a5b1d7e7a10")


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedQuery:
    """A named query."""

    id: str
    name: str
    description: str
    database: str
    workgroup: str
    text: str

    def described(self) -> dict[str, Any]:
        """Return the ``NamedQuery`` structure of the API."""
        return {
            "NamedQueryId": self.id,
            "Name": self.name,
            "Description": self.description,
            "Database": self.database,
            "WorkGroup": self.workgroup,
            "QueryString": self.text,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedStatement:
    """A prepared statement."""

    name: str
    workgroup: str
    text: str
    description: str
    modified_at: datetime

    def described(self) -> dict[str, Any]:
        """Return the ``PreparedStatement`` structure of the API."""
        return {
            "StatementName": self.name,
            "WorkGroupName": self.workgroup,
            "QueryStatement": self.text,
            "Description": self.description,
            "LastModifiedTime": self.modified_at.timestamp(),
        }


class NamedQueries:
    """The named queries of all workgroups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[str, SavedQuery] = {}

    def load(self, folder: Path, *, workgroup: str, database: str) -> None:
        """Add every file of a folder; ids are the same at every start."""
        for query in read_named_queries(folder):
            self.add(
                SavedQuery(
                    id=str(uuid.uuid5(_SPACE, f"{workgroup}/{query.name}")),
                    name=query.name,
                    description=query.description,
                    database=database,
                    workgroup=workgroup,
                    text=query.sql,
                )
            )

    def add(self, query: SavedQuery) -> None:
        """Keep a query."""
        with self._lock:
            self._queries[query.id] = query

    def get(self, query_id: str) -> SavedQuery:
        """Return a query by its id.

        Raises
        ------
        InvalidAthenaRequestError
            There is none.
        """
        query = self._queries.get(query_id)
        if query is None:
            raise InvalidAthenaRequestError(message=f"Named query {query_id} was not found")
        return query

    def remove(self, query_id: str) -> None:
        """Forget a query."""
        self.get(query_id)
        with self._lock:
            self._queries.pop(query_id, None)

    def of(self, workgroup: str) -> Sequence[SavedQuery]:
        """Return a workgroup's queries, by name."""
        with self._lock:
            return sorted((q for q in self._queries.values() if q.workgroup == workgroup), key=lambda q: q.name)


class PreparedStatements:
    """The prepared statements of all workgroups; names do not depend on case."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statements: dict[tuple[str, str], PreparedStatement] = {}

    def load(self, folder: Path, *, workgroup: str) -> None:
        """Add every file of a folder."""
        for query in read_named_queries(folder):
            self.put(query.name, workgroup, query.sql, query.description)

    def put(self, name: str, workgroup: str, text: str, description: str = "") -> None:
        """Keep a statement, in place of one with its name."""
        statement = PreparedStatement(
            name=name, workgroup=workgroup, text=text, description=description, modified_at=datetime.now(UTC)
        )
        with self._lock:
            self._statements[workgroup, name.lower()] = statement

    def update(self, name: str, workgroup: str, text: str, description: str | None) -> None:
        """Change a statement that exists."""
        found = self.get(name, workgroup)
        changed = replace(found, text=text, modified_at=datetime.now(UTC))
        with self._lock:
            self._statements[workgroup, name.lower()] = (
                changed if description is None else replace(changed, description=description)
            )

    def has(self, name: str, workgroup: str) -> bool:
        """Whether there is a statement with this name."""
        return (workgroup, name.lower()) in self._statements

    def get(self, name: str, workgroup: str) -> PreparedStatement:
        """Return a statement.

        Raises
        ------
        MissingPreparedStatementError
            There is none.
        """
        found = self._statements.get((workgroup, name.lower()))
        if found is None:
            raise MissingPreparedStatementError(name=name, workgroup=workgroup)
        return found

    def remove(self, name: str, workgroup: str) -> None:
        """Forget a statement."""
        self.get(name, workgroup)
        with self._lock:
            self._statements.pop((workgroup, name.lower()), None)

    def of(self, workgroup: str) -> Sequence[PreparedStatement]:
        """Return a workgroup's statements, by name."""
        with self._lock:
            return sorted((s for s in self._statements.values() if s.workgroup == workgroup), key=lambda s: s.name)
