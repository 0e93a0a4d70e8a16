"""Result files, as Athena leaves them in S3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from local.athena.engine import AthenaColumn, EngineResult
from local.athena.errors import StatementFailedError
from local.athena.printing import print_column
from local.athena.types import column_info

_CELL: Final = re.compile(r'(?P<quoted>"(?:[^"]|"")*")?(?P<end>,|\n)')

Cells = list[str | None]


class ResultStore(Protocol):
    """Where result files go, by their ``s3://`` location."""

    def put(self, location: str, body: bytes) -> None:
        """Write an object."""
        ...

    def get(self, location: str) -> bytes:
        """Read an object."""
        ...

    def is_empty(self, prefix: str) -> bool:
        """Whether nothing is there under a prefix."""
        ...


class S3ResultStore:
    """Result files in S3, through a boto3 client.

    Parameters
    ----------
    client
        A client of ``s3``; failures become failed statements, in Athena's words.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, location: str, body: bytes) -> None:
        """Write an object."""
        try:
            self._client.put_object(Body=body, **_address(location))
        except (ClientError, BotoCoreError) as error:
            raise _denied(error) from error

    def get(self, location: str) -> bytes:
        """Read an object."""
        try:
            body: bytes = self._client.get_object(**_address(location))["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise _denied(error) from error
        return body

    def is_empty(self, prefix: str) -> bool:
        """Whether nothing is there under a prefix."""
        parts = _address(prefix)
        try:
            found = self._client.list_objects_v2(Bucket=parts["Bucket"], Prefix=parts["Key"], MaxKeys=1)
        except (ClientError, BotoCoreError) as error:
            raise _denied(error) from error
        return not found.get("KeyCount", 0)


def _address(location: str) -> dict[str, str]:
    parts = urlsplit(location)
    return {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}


def _denied(error: ClientError | BotoCoreError) -> StatementFailedError:
    said = error.response.get("Error", {}) if isinstance(error, ClientError) else {"Code": type(error).__name__}
    return StatementFailedError(
        code="PERMISSION_DENIED" if said.get("Code") == "AccessDenied" else "S3_ERROR",
        message=f"{said.get('Message', error)} (Service: Amazon S3; Error Code: {said.get('Code')})",
    )


@dataclass(frozen=True, slots=True)
class ResultSet:
    """Printed rows of a finished statement.

    Parameters
    ----------
    columns
        Names and types.
    rows
        Cells as text, null as None.
    has_header
        Whether ``GetQueryResults`` opens with the column names, as it does for queries.
    updated
        How many rows the statement changed.
    """

    columns: tuple[AthenaColumn, ...]
    rows: list[Cells]
    has_header: bool
    updated: int = 0

    @classmethod
    def from_engine(cls, result: EngineResult, *, has_header: bool = True) -> ResultSet:
        """Print the rows of an engine's result."""
        printed = [print_column(result.table.column(i), column.type) for i, column in enumerate(result.columns)]
        rows = [list(cells) for cells in zip(*printed, strict=True)]
        return cls(result.columns, rows, has_header, result.updated)

    @property
    def all_rows(self) -> list[Cells]:
        """The rows that ``GetQueryResults`` counts."""
        header: list[Cells] = [[column.name for column in self.columns]] if self.has_header else []
        return header + self.rows


def write_csv(results: ResultSet) -> bytes:
    r"""Return the file of a query: everything quoted, null empty without quotes, lines end with ``\n``."""
    return "".join(_csv_lines(results.all_rows)).encode()


def _csv_lines(rows: Iterable[Cells]) -> Iterator[str]:
    for row in rows:
        yield ",".join("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row) + "\n"


def read_csv(body: bytes) -> list[Cells]:
    r"""Return the rows of :func:`write_csv`, header included; empty without quotes is null.

    Examples
    --------
    >>> read_csv(b'"a","b"\n"x,y",\n"",\n')
    [['a', 'b'], ['x,y', None], ['', None]]
    """
    rows: list[Cells] = [[]]
    for match in _CELL.finditer(body.decode()):
        quoted = match["quoted"]
        rows[-1].append(None if quoted is None else quoted[1:-1].replace('""', '"'))
        if match["end"] == "\n":
            rows.append([])
    return rows[:-1]


def write_text(results: ResultSet) -> bytes:
    """Return the file of a statement about the catalog: cells with tabs, no header."""
    return "".join("\t".join(cell or "" for cell in row) + "\n" for row in results.rows).encode()


def write_metadata(results: ResultSet) -> bytes:
    """Return the ``.metadata`` file: the column descriptions.

    Athena writes a private binary form that no client of ours reads; here it is JSON.
    """
    return json.dumps({"ColumnInfo": [column_info(column) for column in results.columns]}).encode()
