"""What a system offers to be measured: prepare, run, close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

import pyarrow as pa

from benchmarks.pit.data import Data
from benchmarks.pit.queries import Query
from vintner.bitemporal import INSTANT
from vintner.errors import VintnerError


class CannotAnswerError(VintnerError):
    """A system has no way to ask a query, or none that ends in time; shown in the table, not a failure."""

    template = "{reason}"


class SystemNotHereError(VintnerError):
    """A system is not installed and cannot be installed here."""

    template = "{system} cannot run here: {reason}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A system's answer.

    Parameters
    ----------
    table
        The columns of the query's schema, in any order of columns and rows; more columns are ignored.
    seconds
        How long the system took, where it measures that itself (a system in another process, whose answer travels
        by file); None to let the runner's clock count.
    """

    table: pa.Table
    seconds: float | None = None


class Adapter(Protocol):
    """A system under measurement. One object serves one data set.

    ``name`` is what ``--systems`` takes, ``about`` one line on what the system does about knowledge time.
    """

    name: ClassVar[str]
    about: ClassVar[str]

    def prepare(self, data: Data) -> None:
        """Load a data set in whatever form suits the system: sorted, indexed, copied. Timed apart from the queries."""

    def run(self, query: Query) -> Answer:
        """Answer a query, from the loaded data to an Arrow table; CannotAnswerError says why not."""

    def close(self) -> None:
        """Give back what prepare took."""


def microseconds(moment: datetime) -> int:
    """Return an instant as microseconds since the epoch."""
    whole: int = pa.scalar(moment, INSTANT).cast(pa.int64()).as_py()
    return whole
