"""A spool: deliveries kept in files while their stream is away, sent oldest first when it is back.

A spool is a folder of segments, each a file that is only appended to.

1.  An entry is a header (a mark, the lengths of key and data, the number of records, a CRC-32 of both the header and
    what follows), the partition key and the data. The data is the packed delivery as it was to be sent, so producer,
    life and sequence numbers stay what they were, and a consumer recognises what is sent twice.
2.  ``append`` writes entries and returns after ``fsync``: what it returned for survives the process and the machine.
    A segment that has grown large is followed by a new one.
3.  ``read`` gives the oldest entries that were not yet released. ``release`` says that they were accepted: segments
    wholly released are removed, and how far the oldest one is released is written beside them, into a new file that
    takes the old one's place at once. A crash between acceptance and release sends entries once more, never less.
4.  Opening reads every entry. Bytes after the last whole entry of the newest segment are most likely a write that was
    torn, for which no ``append`` returned: they are cut off. Damage anywhere else is skipped to the next whole entry.
    Either way the bytes are copied to ``damaged/`` and reported.

The spool holds at most so many bytes; beyond that ``append`` refuses, which is backpressure to whoever publishes.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.errors import SpoolFullError, SpoolInUseError, SpoolWriteError

MOST_BYTES: Final = 1024 * 1024 * 1024
SEGMENT_BYTES: Final = 8 * 1024 * 1024

_MARK: Final = b"VSPL"
_HEAD: Final = struct.Struct("<4sHII")
_SUM: Final = struct.Struct("<I")
_OVERHEAD: Final = _HEAD.size + _SUM.size
_POSITION: Final = struct.Struct("<QQI")


@dataclass(frozen=True, slots=True)
class SpoolDamage:
    """Bytes of a segment that hold no whole entry, kept in a file of that name under ``damaged/``.

    ``torn`` where they are the end of the newest segment, so most likely a write that was never acknowledged.
    """

    segment: str
    offset: int
    size: int
    torn: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry lies, and where it ends."""

    segment: int
    offset: int
    end: int
    records: int


class Spool:
    """Deliveries on disk, in order. One process at a time has it open.

    Parameters
    ----------
    folder
        Where it lies; made if it is not there.
    most_bytes
        Bytes it may hold.
    segment_bytes
        Size at which a segment is followed by a new one.

    Raises
    ------
    SpoolInUseError
        Another process has it open.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> folder = Path(mkdtemp())
    >>> with Spool(folder) as spool:
    ...     spool.append([Entry("003", b"first", 2), Entry("007", b"second", 1)])
    >>> with Spool(folder) as spool:  # another process, later
    ...     (entry,) = spool.read(most_bytes=5)
    ...     spool.release(1)
    ...     entry.data, spool.records
    (b'first', 1)
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = segment_bytes
        self._waiting: deque[_Place] = deque()
        self._damaged: list[SpoolDamage] = []
        self._file: BinaryIO | None = None
        self._records = self._size = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            self._lock.close()
            raise SpoolInUseError(folder=folder) from cause
        self._recover()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def records(self) -> int:
        """Records in the entries that wait."""
        return self._records

    @property
    def size(self) -> int:
        """Bytes of the entries that wait."""
        return self._size

    @property
    def damaged(self) -> Sequence[SpoolDamage]:
        """What was found damaged when the spool was opened."""
        return tuple(self._damaged)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries last; returns when they are safe.

        Raises
        ------
        SpoolFullError
            They would not fit. None was written.
        SpoolWriteError
            The disk refused. They do not count as written, though after a restart some of them may be there.
        """
        packed = [_packed(entry) for entry in entries]
        size = self._held() + sum(map(len, packed))
        if size > self._most_bytes:
            raise SpoolFullError(folder=self._folder, size=self._held(), limit=self._most_bytes)
        places = []
        try:
            for entry, data in zip(entries, packed, strict=True):
                file = self._writable()
                offset = file.tell()
                file.write(data)
                places.append(_Place(self._segment, offset, offset + len(data), entry.records))
            self._sync()
        except OSError as cause:
            self._abandon_segment()
            raise SpoolWriteError(folder=self._folder, reason=cause) from cause
        self._note(places)

    def read(self, *, most_bytes: int) -> list[Entry]:
        """Return the oldest entries, at least one if any waits, otherwise as many as fit into so many bytes."""
        found: list[Entry] = []
        size = 0
        for place in self._waiting:
            size += place.end - place.offset - _OVERHEAD
            if found and size > most_bytes:
                break
            found.append(self._entry(place))
        return found

    def release(self, count: int) -> None:
        """Let go of the oldest ``count`` entries: they were accepted."""
        if count == 0:
            return
        for _ in range(count):
            place = self._waiting.popleft()
            self._records -= place.records
            self._size -= place.end - place.offset
        self._write_position()
        oldest = self._waiting[0].segment if self._waiting else self._segment
        for number in [n for n in self._segments() if n < oldest]:
            self._path(number).unlink()
        if not self._waiting and self._file is not None and self._file.tell() >= self._segment_bytes:
            self._next_segment()
            self._path(self._segment - 1).unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have the spool; what waits stays."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()

    def _held(self) -> int:
        """Bytes on disk that are not released yet; released ones at the front of a segment count until it goes."""
        return sum(self._path(number).stat().st_size for number in self._segments())

    def _writable(self) -> BinaryIO:
        if self._file is None:
            self._file = self._path(self._segment).open("ab")
            _sync_folder(self._folder)
        elif self._file.tell() >= self._segment_bytes:
            self._next_segment()
        return self._file

    def _next_segment(self) -> None:
        if self._file is not None:
            self._sync()
            self._file.close()
        self._segment += 1
        self._file = self._path(self._segment).open("ab")
        _sync_folder(self._folder)

    def _abandon_segment(self) -> None:
        """Go on in a new segment: where the present one ends is not known."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        self._segment += 1

    def _note(self, places: Sequence[_Place]) -> None:
        self._waiting.extend(places)
        self._records += sum(place.records for place in places)
        self._size += sum(place.end - place.offset for place in places)

    def _sync(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _entry(self, place: _Place) -> Entry:
        with self._path(place.segment).open("rb") as file:
            file.seek(place.offset)
            entry, _ = _unpacked(file.read(place.end - place.offset), 0)
        return entry

    def _recover(self) -> None:
        segments = self._segments()
        start, end, data = self._read_position(), 0, b""
        self._segment = segments[-1] if segments else start[0]
        for number in segments:
            data = self._path(number).read_bytes()
            end = self._scan(number, data, start)
        if end < len(data):
            self._note_damage(self._segment, end, data[end:], torn=True)
            os.truncate(self._path(self._segment), end)
        if (self._segment, end) < start:
            self._segment = start[0] + 1  # what is written now must not lie before what was released

    def _scan(self, number: int, data: bytes, start: tuple[int, int]) -> int:
        """Note the entries of a segment and the damage before and between them; return where the last one ends."""
        at = 0
        for entry, offset, end in _entries(data):
            if offset > at:
                self._note_damage(number, at, data[at:offset])
            at = end
            if (number, offset) >= start:
                self._note([_Place(number, offset, end, entry.records)])
        if number != self._segment and at < len(data):
            self._note_damage(number, at, data[at:])
        return at

    def _note_damage(self, number: int, offset: int, data: bytes, *, torn: bool = False) -> None:
        name = self._path(number).name
        kept = self._folder / "damaged" / f"{name}.{offset}"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(data)
        self._damaged.append(SpoolDamage(name, offset, len(data), torn))

    def _read_position(self) -> tuple[int, int]:
        try:
            data = (self._folder / "released").read_bytes()
            segment, offset, checksum = _POSITION.unpack(data)
        except (FileNotFoundError, struct.error):
            return 0, 0
        return (segment, offset) if checksum == zlib.crc32(data[:-4]) else (0, 0)

    def _write_position(self) -> None:
        if self._waiting:
            place = (self._waiting[0].segment, self._waiting[0].offset)
        else:
            end = self._file.tell() if self._file is not None else self._path(self._segment).stat().st_size
            place = (self._segment, end)
        fixed = _POSITION.pack(*place, 0)[:-4]
        fresh = self._folder / "released.new"
        with fresh.open("wb") as file:
            file.write(fixed + _SUM.pack(zlib.crc32(fixed)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / "released")
        _sync_folder(self._folder)

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.spool"))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.spool"


def _packed(entry: Entry) -> bytes:
    key = entry.partition_key.encode()
    head = _HEAD.pack(_MARK, len(key), len(entry.data), entry.records)
    return b"".join([head, _SUM.pack(zlib.crc32(entry.data, zlib.crc32(key, zlib.crc32(head)))), key, entry.data])


def _unpacked(data: bytes | memoryview, at: int) -> tuple[Entry, int]:
    """Return the entry at an offset and where it ends; raises ``ValueError`` where no whole entry is."""
    body = at + _OVERHEAD
    if len(data) < body:
        raise ValueError(at)
    mark, key_size, size, records = _HEAD.unpack_from(data, at)
    end = body + key_size + size
    if mark != _MARK or len(data) < end:
        raise ValueError(at)
    view = memoryview(data)
    (checksum,) = _SUM.unpack_from(data, at + _HEAD.size)
    if checksum != zlib.crc32(view[body:end], zlib.crc32(view[at : at + _HEAD.size])):
        raise ValueError(at)
    return Entry(bytes(view[body : body + key_size]).decode(), bytes(view[body + key_size : end]), records), end


def _entries(data: bytes) -> Iterator[tuple[Entry, int, int]]:
    """Yield every whole entry with its bounds, going from mark to mark over what is damaged."""
    at = data.find(_MARK)
    while at >= 0:
        try:
            entry, end = _unpacked(data, at)
        except ValueError:
            at = data.find(_MARK, at + 1)
            continue
        yield entry, at, end
        at = data.find(_MARK, end)


def _sync_folder(folder: Path) -> None:
    """Make names that were given or taken in a folder safe."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
