"""A lane of the quote engine as bytes: what a snapshot holds of it.

Magic, version, a CRC-32 of the rest, then compressed: how long each part is, the lane's clock, the names of its
instruments, and the kernel's own structures, which are the same bytes on every machine we build for. The rules of time
are not part of it: a lane may go on under others.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from vintner.marketdata.quotes.errors import QuoteStateError
from vintner.marketdata.quotes.native import InstrumentStruct, PendingStruct

VERSION: Final = 1
"""Raise it whenever a structure changes: a lane saved before is then refused, and replayed."""

_HEAD: Final = struct.Struct("<4sHIQ")
_MAGIC: Final = b"VNTQ"
_PARTS: Final = struct.Struct("<qqqqq")
_BOOK: Final = ctypes.sizeof(InstrumentStruct)
_LEFT: Final = ctypes.sizeof(PendingStruct)
_LARGEST: Final = 1 << 30
_CODEC: Final = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """A lane: its clock and last stamp, and its instruments as the kernel has them, with their names."""

    clock: int
    stamp: int
    names: Sequence[str]
    books: bytes
    pending: bytes


def packed(state: LaneState) -> bytes:
    """Return a lane as bytes."""
    names = "\x00".join(state.names).encode()
    counts = len(state.books) // _BOOK, len(state.pending) // _LEFT
    parts = _PARTS.pack(state.clock, state.stamp, *counts, len(names))
    raw = parts + names + state.books + state.pending
    body = bytes(memoryview(_CODEC.compress(raw)))
    return _HEAD.pack(_MAGIC, VERSION, zlib.crc32(body), len(raw)) + body


def unpacked(blob: bytes, lane: int) -> LaneState:
    """Return a lane from its bytes.

    Raises
    ------
    QuoteStateError
        It is no saved lane, of another version, or damaged.
    """
    raw = _body(blob, lane)
    clock, stamp, books, pending, length = _PARTS.unpack_from(raw)
    start = _PARTS.size + length
    middle, end = start + books * _BOOK, start + books * _BOOK + pending * _LEFT
    text = raw[_PARTS.size : start].decode()
    names = text.split("\x00") if books else []
    if len(raw) != end or len(names) != books:
        raise QuoteStateError(lane=lane, problem="does not hold what it announces")
    return LaneState(clock=clock, stamp=stamp, names=names, books=raw[start:middle], pending=raw[middle:end])


def _body(blob: bytes, lane: int) -> bytes:
    if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
        raise QuoteStateError(lane=lane, problem="is no saved lane of quotes")
    _, version, checksum, size = _HEAD.unpack_from(blob)
    if version != VERSION:
        raise QuoteStateError(lane=lane, problem=f"is of version {version}; {VERSION} is read here")
    body = blob[_HEAD.size :]
    if zlib.crc32(body) != checksum or not _PARTS.size <= size <= _LARGEST:
        raise QuoteStateError(lane=lane, problem="is damaged")
    return bytes(memoryview(_CODEC.decompress(body, size)))
