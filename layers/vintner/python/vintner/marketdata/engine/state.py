"""The state of a lane as it is kept: the kernel's bytes, compressed, behind a header that guards them."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import pyarrow as pa

from vintner.marketdata.engine.errors import EngineStateError

MAGIC: Final = b"VNTS"
FORMAT: Final = 1
MAX_STATE_BYTES: Final = 1 << 30
"""Largest state of a lane: what a header may make an engine reserve."""

_HEADER: Final = struct.Struct("<4sHHQI")  # magic, format, unused, bytes unpacked, CRC-32 of them
_CODEC: Final = pa.Codec("zstd", compression_level=1)
_REPLAY: Final = "load the snapshot before, or start the lane without and replay its stream"


def packed(raw: bytes) -> bytes:
    """Return the kernel's bytes as they are kept.

    Examples
    --------
    >>> unpacked(packed(b"state" * 10), lane=3) == b"state" * 10
    True
    """
    body: bytes = _CODEC.compress(raw, asbytes=True)
    return _HEADER.pack(MAGIC, FORMAT, 0, len(raw), zlib.crc32(raw)) + body


def unpacked(blob: bytes, *, lane: int) -> bytes:
    """Return the kernel's bytes of what was kept.

    Raises
    ------
    EngineStateError
        It is no state, or not whole.
    """
    if len(blob) < _HEADER.size or blob[:4] != MAGIC:
        raise refused(lane, "it has no header of ours")
    _, form, _, size, checksum = _HEADER.unpack_from(blob)
    if form != FORMAT or size > MAX_STATE_BYTES:
        raise refused(lane, f"it has format {form} and {size} bytes")
    try:
        raw: bytes = _CODEC.decompress(blob[_HEADER.size :], size, asbytes=True)
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise refused(lane, "its bytes do not unpack") from cause
    if zlib.crc32(raw) != checksum:
        raise refused(lane, "its checksum differs")
    return raw


def refused(lane: int, rule: str) -> EngineStateError:
    """Return the error of a state that cannot be taken over."""
    return EngineStateError(lane=lane, rule=rule, remedy=_REPLAY)
