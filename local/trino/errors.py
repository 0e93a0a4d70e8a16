"""What Trino says when it refuses, and what is said when Trino does not come up."""

from __future__ import annotations

from typing import Any

from local.errors import GroundError


class TrinoStartError(GroundError):
    """Trino did not come up."""

    template = "Trino did not become ready: {reason}. The end of its log ({log}):\n{tail}"


class TrinoUnreachableError(GroundError):
    """Trino does not answer."""

    template = "Trino at {address} does not answer ({reason}); start it again: make up SQL=trino"


class TrinoError(GroundError):
    """Trino refused a statement.

    Parameters
    ----------
    code
        Its name of the error, for instance ``COLUMN_NOT_FOUND``.
    kind
        Whose fault it is: ``USER_ERROR``, ``INTERNAL_ERROR``, ``EXTERNAL``, ``INSUFFICIENT_RESOURCES``.
    message
        What is wrong, without the place.
    line, column
        Place in the statement, from 1; None where Trino names none.
    """

    template = "{code}: {message}"

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> TrinoError:
        """Return the error in an answer of Trino's."""
        place = said.get("errorLocation") or {}
        line, column = place.get("lineNumber"), place.get("columnNumber")
        message = str(said.get("message") or "").removeprefix(f"line {line}:{column}: ")
        return cls(code=str(said["errorName"]), kind=str(said["errorType"]), message=message, line=line, column=column)
