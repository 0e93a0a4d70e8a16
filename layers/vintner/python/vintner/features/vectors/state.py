"""A lane of the assembler as bytes: what a snapshot holds of it.

Magic, version, a CRC-32 of the rest, then compressed: a JSON header (clock and stamp, the names of features, and per
instrument its name, moments and what is told), and after it the numbers of all instruments, eight bytes each, little
endian: the base's events, knowledge and values, then those of each moment.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from vintner.features.errors import VectorStateError
from vintner.features.vectors.lane import NAN, NEVER, Instrument, Lane, Moment

VERSION: Final = 1
"""Raise it whenever the form changes: a lane saved before is then refused, and replayed."""

_HEAD: Final = struct.Struct("<4sHIQQ")
_MAGIC: Final = b"VNTV"
_LARGEST: Final = 1 << 30
_CODEC: Final = pa.Codec("zstd", compression_level=1)


def packed(lane: Lane, features: Sequence[str]) -> bytes:
    """Return a lane as bytes, given the names of its features in order."""
    parts: list[bytes] = []
    instruments = []
    for name, one in lane.instruments.items():
        parts += [_bytes(one.event), _bytes(one.known), _bytes(one.value)]
        moments = []
        for event in sorted(one.moments):
            moment = one.moments[event]
            parts += [_bytes(moment.known), _bytes(moment.value)]
            moments.append([event, {view: told.hex() for view, told in sorted(moment.told.items())}])
        instruments.append([name, one.changed, moments])
    told = {
        "clock": lane.clock,
        "stamp": lane.stamp,
        "changed": sorted(lane.changed),
        "features": list(features),
        "instruments": instruments,
    }
    header = json.dumps(told, separators=(",", ":")).encode()
    raw = header + b"".join(parts)
    body = bytes(memoryview(_CODEC.compress(raw)))
    return _HEAD.pack(_MAGIC, VERSION, zlib.crc32(body), len(raw), len(header)) + body


def unpacked(blob: bytes, number: int, features: Sequence[str]) -> Lane:
    """Return a lane from its bytes, its features in the order of ``features``; those that are not there are dropped.

    Raises
    ------
    VectorStateError
        It is no saved lane, of another version, or damaged.
    """
    header, numbers = _read(blob, number)
    theirs = header["features"]
    order = [theirs.index(name) if name in theirs else None for name in features]
    columns = _columns(numbers, len(theirs))
    lane = Lane(clock=header["clock"], stamp=header["stamp"], changed=set(header["changed"]))
    for name, changed, moments in header["instruments"]:
        one = Instrument(
            event=_whole(next(columns), order), known=_whole(next(columns), order), value=_real(next(columns), order)
        )
        one.changed = changed
        for event, told in moments:
            moment = Moment(known=_whole(next(columns), order), value=_real(next(columns), order))
            moment.told = {view: bytes.fromhex(text) for view, text in told.items()}
            one.moments[event] = moment
        lane.instruments[name] = one
    return lane


def _read(blob: bytes, number: int) -> tuple[dict[str, Any], bytes]:
    if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
        raise VectorStateError(lane=number, problem="is no saved lane of vectors")
    _, version, checksum, size, length = _HEAD.unpack_from(blob)
    if version != VERSION:
        raise VectorStateError(lane=number, problem=f"is of version {version}; {VERSION} is read here")
    body = blob[_HEAD.size :]
    if zlib.crc32(body) != checksum or not length <= size <= _LARGEST:
        raise VectorStateError(lane=number, problem="is damaged")
    raw = bytes(memoryview(_CODEC.decompress(body, size)))
    return json.loads(raw[:length]), raw[length:]


def _columns(numbers: bytes, features: int) -> Iterator[bytes]:
    return (numbers[at : at + 8 * features] for at in range(0, len(numbers), 8 * features))


def _bytes(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _whole(data: bytes, order: list[int | None]) -> array[int]:
    return _ordered(_numbers("q", data), order, NEVER)


def _real(data: bytes, order: list[int | None]) -> array[float]:
    return _ordered(_numbers("d", data), order, NAN)


def _numbers(kind: str, data: bytes) -> array[Any]:
    numbers: array[Any] = array(kind)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _ordered(numbers: array[Any], order: list[int | None], missing: float) -> array[Any]:
    if order == list(range(len(numbers))):
        return numbers
    return array(numbers.typecode, [missing if at is None else numbers[at] for at in order])
