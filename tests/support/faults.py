"""A catalog on local disk whose every write can be made to fail, before or after it took effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

KINDS = ("crash before", "crash after", "answer lost", "answer lost, then conflict")
"""How a write may fail. A crash kills the process; a lost answer raises a timeout although the write took effect;
the last one is what a transport's own retry makes of it."""


class Crash(BaseException):
    """The process is gone: nothing of ours may catch this."""


class Switchboard:
    """Counts the writes of a run and makes one of them fail."""

    def __init__(self) -> None:
        self.writes = 0
        self.fail_at: int | None = None
        self.kind = KINDS[0]

    def arm(self, fail_at: int | None, kind: str) -> None:
        self.writes, self.fail_at, self.kind = 0, fail_at, kind

    @contextmanager
    def write(self, *, commit: bool = False) -> Iterator[None]:
        self.writes += 1
        due = self.writes == self.fail_at
        if due and self.kind == "crash before":
            raise Crash
        yield
        if due and (self.kind == "crash after" or not commit):
            raise Crash
        if due and self.kind == "answer lost":
            raise TimeoutError("the catalog did not answer")
        if due:
            raise CommitFailedException("the table has been changed by another process")


SWITCH = Switchboard()


class FaultyFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        with SWITCH.write():
            return super().create(overwrite)


class FaultyFileIO(PyArrowFileIO):
    def new_output(self, location: str) -> FaultyFile:
        plain = super().new_output(location)
        return FaultyFile(plain.location, plain._path, plain._filesystem, plain._buffer_size)


class FaultyCatalog(SqlCatalog):
    """PyIceberg's SQL catalog, with the switchboard before its files and its pointer."""

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        with SWITCH.write(commit=True):
            return super().commit_table(*args, **kwargs)


def open_faulty_catalog(folder: Path) -> FaultyCatalog:
    properties = {"uri": f"sqlite:///{folder}/catalog.db", "warehouse": folder.as_uri()}
    return FaultyCatalog("test", **properties, **{"py-io-impl": "tests.support.faults.FaultyFileIO"})
