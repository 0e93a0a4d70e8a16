"""The wire format of record batches: a small header, then Arrow columns, compressed where it pays.

One delivery (a record of the stream) is one batch of one lane from one producer:

1.  A fixed header: magic, format version, codec, schema version and fingerprint, lane, count, first sequence number,
    when it was sent, lengths and a CRC-32 of all that follows the fixed part.
2.  Three texts: record name, producer, W3C trace parent.
3.  The body: an Arrow record batch without its schema (both ends know it by name and version), compressed whole
    unless it is small: a shard takes 1,000 deliveries or 1 MB a second, so below 1 kB bytes are free and time is not.

Records of a batch have the sequence numbers ``first``, ``first + 1``, …; a producer counts each lane by itself and
without holes, so a consumer sees what is missing and what came twice. A batch without records is a heartbeat: it says
that the producer had sent everything up to ``sent_at``.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from vintner.messaging.errors import WireError
from vintner.messaging.records.schema import fingerprint, name_of, nothing_of, schema_at, schema_of, version_of

MAGIC: Final = b"VNT"
FORMAT: Final = 1
MAX_WIRE_BYTES: Final = 1_000_000
"""Largest delivery; a record of a stream may hold 1 MiB with its key."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""Largest body once unpacked: what a header may make a consumer reserve."""

_FIXED: Final = struct.Struct("<3sBBHIHIqqIHHHI")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN, _ZSTD = 0, 1
_SMALL_BYTES: Final = 900
"""Bodies up to this are left as they are: with its header such a delivery stays below 1 kB."""
_CODEC: Final = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records of one type from one producer in one lane.

    Parameters
    ----------
    kind
        Record type.
    producer
        Who sends: a name and the start of this life of it, for instance ``binance-ws/1723161255``.
    lane
        Lane of every record in it.
    first
        Sequence number of the first record; of the next record to come where there is none.
    sent_at
        When it was sent, by the producer's clock, UTC.
    trace
        W3C ``traceparent``, or empty.
    rows
        The records, in order; :func:`~vintner.messaging.records.schema_of` tells the columns.
    """

    kind: type[Any]
    producer: str
    lane: int
    first: int
    sent_at: datetime
    rows: pa.RecordBatch
    trace: str = ""

    @property
    def is_heartbeat(self) -> bool:
        """Whether it holds no record."""
        return bool(self.rows.num_rows == 0)


def pack(batch: Batch) -> bytes:
    """Return a batch as the bytes of one delivery.

    Examples
    --------
    >>> from vintner.messaging.records import Signal, as_batch
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> one = Signal(signal_id="s", model="m/1", instrument="AAPL", event_time=at, knowledge_time=at, score=0.5,
    ...              horizon_seconds=60)
    >>> sent = Batch(kind=Signal, producer="doc/1", lane=3, first=7, sent_at=at, rows=as_batch([one], Signal))
    >>> unpack(pack(sent), Signal) == sent
    True
    """
    raw = batch.rows.serialize() if batch.rows.num_rows else pa.py_buffer(b"")
    packed = _CODEC.compress(raw) if len(raw) > _SMALL_BYTES else raw
    codec, body = (_ZSTD, packed) if len(packed) < len(raw) else (_PLAIN, raw)
    texts = [text.encode() for text in (name_of(batch.kind), batch.producer, batch.trace)]
    rest = b"".join([*texts, memoryview(body)])
    version = version_of(batch.kind)
    fixed = _FIXED.pack(
        MAGIC, FORMAT, codec, version, fingerprint(batch.kind, version), batch.lane, batch.rows.num_rows, batch.first,
        (batch.sent_at - _EPOCH) // timedelta(microseconds=1), len(raw), *map(len, texts), 0,
    )  # fmt: skip
    return fixed[:-4] + struct.pack("<I", zlib.crc32(rest, zlib.crc32(fixed[:-4]))) + rest


def unpack(data: bytes, kind: type[Any]) -> Batch:
    """Return the batch of a delivery, its rows in the present version of the record type.

    Raises
    ------
    WireError
        Naming the field, the rule it breaks (``malformed bytes``, ``unknown format``, ``checksum``, ``unknown
        record``, ``schema too new``, ``schema differs``) and the remedy. Nothing of the delivery can be trusted.
    """
    head = heading(data, kind)
    rows = _rows(head, schema_at(kind, head.version)) if head.records else nothing_of(kind)
    return Batch(
        kind=kind,
        producer=head.producer,
        lane=head.lane,
        first=head.first,
        sent_at=_EPOCH + timedelta(microseconds=head.sent),
        rows=_present(rows, kind, head.version),
        trace=head.trace,
    )


class Heading(NamedTuple):
    """What a delivery says of its records before they are unpacked; see :class:`Batch`."""

    version: int
    codec: int
    lane: int
    records: int
    first: int
    sent: int
    raw_size: int
    producer: str
    trace: str
    body: memoryview


def heading(data: bytes, kind: type[Any]) -> Heading:
    """Return what a delivery says of its records; that they can be unpacked is not known yet.

    Raises
    ------
    WireError
        See :func:`unpack`.
    """
    if len(data) < _FIXED.size or data[:3] != MAGIC:
        raise _malformed("no header of ours")
    (_, form, codec, version, mark, lane, count, first, sent, raw_size, *sizes, checksum) = _FIXED.unpack_from(data)
    if form != FORMAT:
        raise WireError(field="format", rule="unknown format", remedy=f"format {FORMAT} is read here, not {form}")
    rest = memoryview(data)[_FIXED.size :]
    if zlib.crc32(rest, zlib.crc32(data[: _FIXED.size - 4])) != checksum:
        raise WireError(field="checksum", rule="checksum", remedy="the bytes changed on their way; send them again")
    name, producer, trace, body = _texts(rest, sizes)
    if name != name_of(kind):
        raise WireError(field="record", rule="unknown record", remedy=f"{name_of(kind)} is carried, not {name}")
    _check_schema(kind, version, mark)
    return Heading(version, codec, lane, count, first, sent, raw_size, producer, trace, body)


def _texts(rest: memoryview, sizes: list[int]) -> tuple[str, str, str, memoryview]:
    found, at = [], 0
    for size in sizes:
        try:
            found.append(bytes(rest[at : at + size]).decode())
        except UnicodeDecodeError as cause:
            raise _malformed("a text is no UTF-8") from cause
        at += size
    return found[0], found[1], found[2], rest[at:]


def _check_schema(kind: type[Any], version: int, mark: int) -> None:
    if version > version_of(kind):
        raise WireError(
            field="schema",
            rule="schema too new",
            remedy=f"deploy a consumer that knows version {version} of {name_of(kind)}, then re-drive",
        )
    if mark != fingerprint(kind, version):
        remedy = f"send the fields of version {version} of {name_of(kind)} as it was declared"
        raise WireError(field="schema", rule="schema differs", remedy=remedy)


def _rows(head: Heading, schema: pa.Schema) -> pa.RecordBatch:
    if head.raw_size > MAX_BODY_BYTES:
        raise _malformed(f"a body of {head.raw_size} bytes")
    try:
        # A copy of a plain body: where it begins in the delivery its numbers would not be aligned.
        raw = _CODEC.decompress(head.body, head.raw_size) if head.codec == _ZSTD else pa.py_buffer(bytes(head.body))
        rows = pa.ipc.read_record_batch(raw, schema)
        rows.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise _malformed("a body that is no record batch") from cause
    if rows.num_rows != head.records:
        raise _malformed(f"{rows.num_rows} records where {head.records} were announced")
    return rows


def _present(rows: pa.RecordBatch, kind: type[Any], version: int) -> pa.RecordBatch:
    if version == version_of(kind) or not rows.num_rows:
        return rows
    columns = [
        rows[field.name] if field.name in rows.schema.names else pa.nulls(rows.num_rows, field.type)
        for field in schema_of(kind)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema_of(kind))


def _malformed(what: str) -> WireError:
    return WireError(field="delivery", rule="malformed bytes", remedy=f"send what pack() makes; this has {what}")
