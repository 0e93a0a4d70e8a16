"""Sections of bytes in one piece: how a pipeline's parts put their states into one blob a lane.

1.  Each section is its name, its length and its bytes.
2.  A CRC-32 of it all comes first: a blob that was cut or changed is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from vintner.messaging.stateful.model import SnapshotError

_HEAD: Final = struct.Struct("<4sI")
_SECTION: Final = struct.Struct("<HI")
_MAGIC: Final = b"VNS1"


def frame(sections: Mapping[str, bytes]) -> bytes:
    """Return sections as one piece.

    Examples
    --------
    >>> unframe(frame({"a": b"1", "b": b""}), name="lane 3")
    {'a': b'1', 'b': b''}
    """
    body = b"".join(_SECTION.pack(len(key := name.encode()), len(data)) + key + data for name, data in sections.items())
    return _HEAD.pack(_MAGIC, zlib.crc32(body)) + body


def unframe(blob: bytes, *, name: str) -> dict[str, bytes]:
    """Return the sections of a piece.

    Raises
    ------
    SnapshotError
        It was cut or changed, or another version wrote it.
    """
    if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
        raise SnapshotError(name=name, problem="is of another format")
    body = memoryview(blob)[_HEAD.size :]
    if zlib.crc32(body) != _HEAD.unpack_from(blob)[1]:
        raise SnapshotError(name=name, problem="is damaged")
    found, at = {}, 0
    while at < len(body):
        key, size = _SECTION.unpack_from(body, at)
        at += _SECTION.size
        found[bytes(body[at : at + key]).decode()] = bytes(body[at + key : at + key + size])
        at += key + size
    return found
