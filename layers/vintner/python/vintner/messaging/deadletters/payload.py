"""The payload of a refused record: compared, and made into a delivery again.

A refused record's payload is the record as JSON, or ``base64:…`` of a whole delivery that could not be read. A whole
delivery is sent again byte by byte, as it was. A record is sent in a batch of its own whose producer is named after
the letter and the attempt: an attempt that is repeated after a crash sends the same sequence number of the same
producer, which consumers recognise; the next attempt is another producer's.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa

from vintner.messaging.deadletters.errors import LetterPayloadError
from vintner.messaging.deadletters.model import Letter
from vintner.messaging.envelope import Envelope, encode
from vintner.messaging.records.schema import fields_of, schema_of
from vintner.messaging.streams import STREAMS, Stream, lane_of, partition_key
from vintner.messaging.wire import MAGIC, Batch, pack

BYTES: Final = "base64:"
PRODUCER: Final = "redrive"
_LANE_AT: Final = 11
"""Where the header of a batch has its lane, in every format so far (:mod:`vintner.messaging.wire`)."""


@dataclass(frozen=True, slots=True)
class Sendable:
    """A delivery to be put to a stream."""

    stream: str
    partition_key: str
    data: bytes


def declared_stream(name: str) -> Stream | None:
    """Return the declared stream behind the name of a Kinesis stream; None for one that carries JSON facts.

    Examples
    --------
    >>> declared_stream("vintner-dev-market-data-trades").name
    'market_data.trades'
    """
    fitting = [s for s in STREAMS.values() if name in (s.name, s.resource_name) or name.endswith(f"-{s.resource_name}")]
    return max(fitting, key=lambda stream: len(stream.resource_name), default=None)


def same_payload(stream: str, payload: str) -> str:
    """Return a text that is equal for payloads that say the same: names sorted, nulls and unknown names left out.

    Examples
    --------
    >>> same_payload("vintner-dev-macro-data", '{"value": 1, "entity": "x", "note": null}')
    '{"entity":"x","value":1}'
    """
    record = _object(payload)
    if record is None:
        return payload
    declared = declared_stream(stream)
    names = {field.name for field in fields_of(declared.record)} if declared else record.keys()
    told = {name: value for name, value in record.items() if name in names and value is not None}
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sendable(letter: Letter, payload: str, *, sent_at: datetime) -> Sendable:
    """Return the delivery that sends a refused record, or a whole delivery, to its stream again.

    Raises
    ------
    LetterPayloadError
        The payload is none that its stream can carry.
    """
    if payload.startswith(BYTES):
        return _whole(letter, _decoded(letter, payload))
    if letter.whole:
        return _whole(letter, payload.encode())
    record = _object(payload)
    if record is None:
        raise _wrong(letter, "payload", "is no JSON object", "discard it, and have it sent again by its source")
    stream = declared_stream(letter.stream)
    return _fact(letter, record, sent_at) if stream is None else _record(letter, stream, record, sent_at)


def producer_of(letter: Letter) -> str:
    """Return the producer that a letter's present attempt is sent as."""
    return f"{PRODUCER}/{letter.id}.{letter.attempts}"


def _whole(letter: Letter, data: bytes) -> Sendable:
    """Keep the lane where the bytes tell one, so that order holds."""
    lane = 0
    if data[:3] == MAGIC and len(data) >= _LANE_AT + 2:
        (lane,) = struct.unpack_from("<H", data, _LANE_AT)
    return Sendable(letter.stream, partition_key(lane), data)


def _fact(letter: Letter, record: Mapping[str, Any], sent_at: datetime) -> Sendable:
    if not letter.dataset:
        raise _wrong(letter, "dataset", "is not told", "discard it, and have it sent again by its source")
    envelope = Envelope(
        dataset=letter.dataset, source=PRODUCER, producer=producer_of(letter), sent_at=sent_at, records=[record]
    )
    return Sendable(letter.stream, str(record.get("entity", "")) or letter.id, encode(envelope))


def _record(letter: Letter, stream: Stream, record: Mapping[str, Any], sent_at: datetime) -> Sendable:
    kind, schema = stream.record, schema_of(stream.record)
    columns = [
        pa.array([_value(letter, field.name, field.type, record.get(field.name))], field.type) for field in schema
    ]
    lane = lane_of(*(str(record.get(name) or "") for name in stream.key))
    batch = Batch(
        kind=kind,
        producer=producer_of(letter),
        lane=lane,
        first=0,
        sent_at=sent_at,
        rows=pa.RecordBatch.from_arrays(columns, schema=schema),
    )
    return Sendable(letter.stream, partition_key(lane), pack(batch))


def _value(letter: Letter, name: str, kind: pa.DataType, value: Any) -> Any:
    if value is None:
        return None
    try:
        read = _read(kind, value)
        pa.scalar(read, kind)
    except (ValueError, TypeError, InvalidOperation, OverflowError, pa.ArrowException) as cause:
        raise _wrong(letter, name, f"{value!r} is no {kind}", "have its source state it again") from cause
    return read


def _read(kind: pa.DataType, value: Any) -> Any:
    if pa.types.is_decimal(kind):
        return Decimal(str(value))
    if pa.types.is_timestamp(kind):
        return value if isinstance(value, int) else datetime.fromisoformat(value).astimezone(UTC)
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_integer(kind):
        return int(value)
    return value


def _object(payload: str) -> dict[str, Any] | None:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _decoded(letter: Letter, payload: str) -> bytes:
    try:
        return base64.b64decode(payload.removeprefix(BYTES), validate=True)
    except binascii.Error as cause:
        raise _wrong(letter, "payload", "is no base64", "discard it; the stream keeps the original") from cause


def _wrong(letter: Letter, field: str, rule: str, remedy: str) -> LetterPayloadError:
    return LetterPayloadError(letter=letter.id, field=field, rule=rule, remedy=remedy)
