"""A lake in memory: files and pointers in dictionaries, copied at once, and cut off at any step.

Every step that outlasts the process (a file written, a file removed, a pointer swapped) goes through the switchboard,
which may end the process before or after it, or lose the answer of a swap. A file appears whole or not at all, as an
object in S3 does.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, ClassVar, Final

from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.utils.concurrent import ExecutorFactory

from tests.support.faults import KINDS, Crash
from tests.support.quick_avro import remember_schemas
from vintner.lake import ensure_database, load_table
from vintner.lake.maintenance import StoredFile

DATABASE: Final = "facts"
WAREHOUSE: Final = "memory://lake"


class Disk:
    """Files by location, pointers by table, and the switchboard before both."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, datetime]] = {}
        self.pointers: dict[str, str] = {}
        # Ahead of the clock that PyIceberg dates its snapshots by, so that those lie in the past.
        self.now = datetime.now(UTC) + timedelta(hours=1)
        self.steps = 0
        self.swaps: set[int] = set()
        self.fail_at: int | None = None
        self.kind = KINDS[0]
        self.before_swap: Any = None
        self._counting = Lock()

    def arm(self, fail_at: int | None, kind: str = KINDS[0]) -> None:
        self.steps, self.swaps, self.fail_at, self.kind = 0, set(), fail_at, kind

    def copy(self) -> tuple[dict[str, tuple[bytes, datetime]], dict[str, str], datetime]:
        return dict(self.files), dict(self.pointers), self.now

    def restore(self, copy: tuple[dict[str, tuple[bytes, datetime]], dict[str, str], datetime]) -> None:
        self.files, self.pointers, self.now = dict(copy[0]), dict(copy[1]), copy[2]
        self.arm(None)

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def stored(self, location: str) -> list[StoredFile]:
        """The files under a location, as a store lists them."""
        files = ((name, file) for name, file in self.files.items() if name.startswith(location + "/"))
        return [StoredFile(name, len(content), at) for name, (content, at) in files]

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            with self.step():
                self.files.pop(name, None)

    @contextmanager
    def step(self, *, swap: bool = False) -> Iterator[None]:
        with self._counting:
            self.steps += 1
            self.swaps |= {self.steps} if swap else set()
            due = self.steps == self.fail_at
        if due and self.kind == "crash before":
            raise Crash
        yield
        if due and (self.kind == "crash after" or not swap):
            raise Crash
        if due and self.kind == "answer lost":
            raise TimeoutError("the catalog did not answer")
        if due:
            raise CommitFailedException("the table has been changed by another process")


class _Sink(io.BytesIO):
    def __init__(self, location: str, disk: Disk) -> None:
        super().__init__()
        self._location, self._disk, self._failed = location, disk, False

    def __exit__(self, kind: Any, *rest: Any) -> None:
        self._failed = kind is not None
        self.close()

    def close(self) -> None:
        if not self.closed and not self._failed:
            self._failed = True  # whatever happens, this file is written once
            with self._disk.step():
                self._disk.files[self._location] = (self.getvalue(), self._disk.now)
        super().close()


class MemoryFile(InputFile, OutputFile):
    def __init__(self, location: str, disk: Disk) -> None:
        super().__init__(location)
        self._disk = disk

    def __len__(self) -> int:
        return len(self._content())

    def exists(self) -> bool:
        return self.location in self._disk.files

    def open(self, seekable: bool = True) -> Any:
        return io.BytesIO(self._content())

    def to_input_file(self) -> MemoryFile:
        return self

    def create(self, overwrite: bool = False) -> Any:
        return _Sink(self.location, self._disk)

    def _content(self) -> bytes:
        if self.location not in self._disk.files:
            raise FileNotFoundError(self.location)
        return self._disk.files[self.location][0]


class MemoryFileIO(FileIO):
    disk: ClassVar[Disk] = Disk()

    def new_input(self, location: str) -> MemoryFile:
        return MemoryFile(location, self.disk)

    def new_output(self, location: str) -> MemoryFile:
        return MemoryFile(location, self.disk)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        name = location if isinstance(location, str) else location.location
        with self.disk.step():
            if self.disk.files.pop(name, None) is None:
                raise FileNotFoundError(name)


class MemoryCatalog(InMemoryCatalog):
    """PyIceberg's in-memory catalog with its pointers in a dictionary, swapped as Glue and SQL swap them."""

    def load_table(self, identifier: Any) -> Table:
        name = ".".join(self.identifier_to_tuple(identifier))
        location = self.disk.pointers.get(name)
        if location is None:
            raise NoSuchTableError(f"Table does not exist: {name}")
        return self._table(name, location)

    def create_table(self, identifier: Any, *arguments: Any, **settings: Any) -> Table:
        staged = self._create_staged_table(identifier, *arguments, **settings)
        name = ".".join(self.identifier_to_tuple(identifier))
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        with self.disk.step(swap=True):
            assert self.disk.pointers.setdefault(name, staged.metadata_location) == staged.metadata_location
        return self.load_table(identifier)

    def drop_table(self, identifier: Any) -> None:
        del self.disk.pointers[".".join(self.identifier_to_tuple(identifier))]

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        name = ".".join(table.name())
        current = self.load_table(table.name())
        staged = self._update_and_stage_table(current, table.name(), requirements, updates)
        if staged.metadata == current.metadata:
            return _answer(current)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        if self.disk.before_swap is not None:
            hook, self.disk.before_swap = self.disk.before_swap, None
            hook()
        with self.disk.step(swap=True):
            if self.disk.pointers[name] != current.metadata_location:
                raise CommitFailedException(f"{name} has been updated by another process")
            self.disk.pointers[name] = staged.metadata_location
        return _answer(staged)

    @property
    def disk(self) -> Disk:
        return MemoryFileIO.disk

    def _table(self, name: str, location: str) -> Table:
        from pyiceberg.serializers import FromInputFile

        files = MemoryFileIO(self.properties)
        metadata = FromInputFile.table_metadata(files.new_input(location))
        return Table(tuple(name.split(".")), metadata, location, files, self)


def _answer(table: Table) -> CommitTableResponse:
    return CommitTableResponse.model_validate(
        {"metadata": table.metadata, "metadata-location": table.metadata_location}
    )


class InTurn(Executor):
    """Does what it is given at once: a dictionary is not waited for, and a step is the same one in every run."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except BaseException as raised:  # noqa: BLE001 - whoever asks for the result has it raised
            done.set_exception(raised)
        return done


def open_memory_catalog() -> MemoryCatalog:
    """A new, empty lake. There is one at a time. PyIceberg reads and writes without threads from then on."""
    ExecutorFactory._instance, ExecutorFactory._instance_pid = InTurn(), os.getpid()
    remember_schemas()
    MemoryFileIO.disk = Disk()
    catalog = MemoryCatalog(
        "memory", warehouse=WAREHOUSE, **{"py-io-impl": f"{MemoryFileIO.__module__}.{MemoryFileIO.__name__}"}
    )
    ensure_database(catalog, DATABASE)
    return catalog


def loader(catalog: MemoryCatalog, name: str) -> Any:
    """What loads a table anew each time it is called."""
    return lambda: load_table(catalog, DATABASE, name)
