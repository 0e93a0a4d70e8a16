"""What Athena says when it refuses: a request at the door, or a statement while it runs."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from vintner.errors import VintnerError


class AthenaRequestError(VintnerError):
    """A request is refused before anything runs; becomes an HTTP answer with status 400.

    ``kind`` is the name of the exception that the AWS SDKs raise for it.
    """

    kind: ClassVar[str] = "InvalidRequestException"
    code: ClassVar[str] = "INVALID_INPUT"


class InvalidAthenaRequestError(AthenaRequestError):
    """A parameter is missing, wrong, or names something that does not exist."""

    template = "{message}"


class UnknownAthenaOperationError(AthenaRequestError):
    """The client asked for an operation this endpoint does not have."""

    template = (
        "The laptop's Athena endpoint has no operation {operation}; use it in an account, "
        "or one of the operations it has: {known}"
    )


class MalformedStatementError(AthenaRequestError):
    """A statement does not parse. Athena says so at once, without making a query execution."""

    code: ClassVar[str] = "MALFORMED_QUERY"
    template = "line {line}:{column}: {message}"


class MissingPreparedStatementError(AthenaRequestError):
    """A prepared statement with this name does not exist in the workgroup."""

    kind: ClassVar[str] = "ResourceNotFoundException"
    template = "PreparedStatement {name} was not found in workGroup {workgroup}"


class MissingAthenaMetadataError(AthenaRequestError):
    """A database, table or catalog asked for by the metadata operations does not exist."""

    kind: ClassVar[str] = "MetadataException"
    template = "{message}"


class Fault(IntEnum):
    """Whose fault a failed statement is, as Athena numbers it."""

    SYSTEM = 1
    USER = 2
    OTHER = 3


class StatementFailedError(VintnerError):
    """A statement that started and failed; its text is the execution's ``StateChangeReason``.

    Parameters
    ----------
    code
        Trino's name of the error, for instance ``COLUMN_NOT_FOUND``.
    message
        What is wrong, in Athena's words.
    line, column
        Place in the statement, from 1; both or neither.

    Examples
    --------
    >>> str(StatementFailedError(code="TABLE_NOT_FOUND", message="Table 'a' does not exist", line=1, column=15))
    "TABLE_NOT_FOUND: line 1:15: Table 'a' does not exist"
    """

    template = "{code}: {place}{message}"
    fault: ClassVar[Fault] = Fault.USER

    def __init__(self, *, code: str, message: str, line: int | None = None, column: int | None = None) -> None:
        place = "" if line is None else f"line {line}:{column}: "
        super().__init__(code=code, message=message, place=place, line=line, column=column)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.data)


def _again(kind: type[StatementFailedError], data: dict[str, object]) -> StatementFailedError:
    wanted = {name: value for name, value in data.items() if name != "place"}
    return kind(**wanted)  # type: ignore[arg-type]


class StatementCancelledError(VintnerError):
    """The statement was stopped by its owner."""

    template = "Query cancelled by user"


class EngineFaultError(StatementFailedError):
    """The engine itself failed; the statement may be fine."""

    fault: ClassVar[Fault] = Fault.SYSTEM
