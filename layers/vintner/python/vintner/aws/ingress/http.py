"""Batches of records over HTTP: judged one by one, published before the answer, recognised when they come again.

1.  The body is unpacked (gzip, bounded) and read by its type: JSON, JSON lines, or a batch in our wire format.
2.  Each record is judged by itself; the good ones are published, in order, and accepted by the stream before the
    answer is given. The answer says how many, and of each other why not.
3.  Who publishes is named after the request: with an ``Idempotency-Key`` after the key and the body together, so the
    same request sent again has the same producer and sequence numbers, and consumers recognise what they have. A key
    that comes with another body is another request.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vintner.aws.api.problems import ParameterError, TooLargeError
from vintner.aws.ingress.errors import MediaTypeError, StreamAwayError, StreamBusyError, UnreadableBodyError
from vintner.aws.ingress.reading import Read, RefusedRow, open_stream, read_rows
from vintner.lake.errors import FactError
from vintner.messaging.delivery_lanes import OUTCOME_UNKNOWN, UNREACHABLE, DeliveryLanes, Entry, PutRecords
from vintner.messaging.errors import RecordRefusedError, StreamRefusedError, StreamUnavailableError, WireError
from vintner.messaging.lane_buffers import checked, split_by_lane
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import Stream, partition_key
from vintner.messaging.wire import unpack

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
WIRE: Final = "application/vnd.vintner.batch"
MOST_BODY_BYTES: Final = 32 * 1024 * 1024
"""Largest body once it is unpacked."""
MOST_RECORDS: Final = 50_000
ATTEMPTS: Final = 5
"""Rounds of sending before the answer is that the stream is busy: about three seconds."""
_LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: who published, how many records were accepted, and which were refused."""

    stream: str
    producer: str
    accepted: int
    refused: tuple[RefusedRow, ...] = ()


class HttpIngest:
    """Takes the records of requests.

    Parameters
    ----------
    put
        How deliveries reach a stream.
    environment_name
        Of the deployment.
    clock
        Tells the present.
    wait
        Waits so many seconds.
    """

    def __init__(
        self,
        put: PutRecords,
        *,
        environment_name: str,
        clock: Callable[[], datetime],
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._put = put
        self._environment = environment_name
        self._clock = clock
        self._wait = wait

    def take(self, stream: str, body: bytes, headers: Mapping[str, str], *, request_id: str) -> Outcome:
        """Publish the records of a body.

        Parameters
        ----------
        stream
            Logical name of the stream.
        body
            As it was sent.
        headers
            Of the request, their names in small letters.
        request_id
            Names the request where it brings no key.

        Raises
        ------
        UnknownStreamError
            No such stream takes records from outside.
        MediaTypeError, TooLargeError, UnreadableBodyError, ParameterError
            Nothing was taken.
        StreamBusyError, StreamAwayError
            The stream takes no more. Sent again with the same key, what was taken is recognised.
        """
        declared = open_stream(stream)
        data = _unpacked(body, headers.get("content-encoding", "identity"))
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == WIRE:
            return self._take_batch(declared, data)
        read = self._read(declared, data, media)
        publisher = Publisher(
            self._put, declared, producer=_producer(stream, headers.get("idempotency-key"), data, request_id),
            environment_name=self._environment, clock=self._clock, wait=self._wait, attempts=ATTEMPTS,
        )  # fmt: skip
        try:
            receipt = publisher.publish(read.rows)
            accepted = receipt.accepted + publisher.flush().accepted
        except (StreamUnavailableError, StreamRefusedError) as error:
            raise _not_taken(stream, error) from error
        return Outcome(stream, publisher.producer, accepted, tuple(read.refused))

    def _read(self, stream: Stream, data: bytes, media: str) -> Read:
        if media == JSON:
            rows = _json_records(data)
        elif media == NDJSON:
            rows = [_line(line) for line in data.split(b"\n") if line.strip()]
        else:
            remedy = f"send {JSON}, {NDJSON} or {WIRE}"
            raise MediaTypeError(parameter="content-type", rule=f"is {media or 'missing'}", remedy=remedy)
        if len(rows) > MOST_RECORDS:
            rule = f"has {len(rows)} records of at most {MOST_RECORDS}"
            raise TooLargeError(parameter="body", rule=rule, remedy="send several requests")
        return read_rows(stream.record, rows, received_at=self._clock())

    def _take_batch(self, stream: Stream, data: bytes) -> Outcome:
        """Pass a batch on as it is: its producer has numbered it."""
        try:
            batch = unpack(data, stream.record)
            checked(batch.rows, stream.record)
        except (WireError, RecordRefusedError) as error:
            raise UnreadableBodyError(parameter=error.field, rule=error.rule, remedy=error.remedy) from error
        lanes = [lane for lane, _ in split_by_lane(batch.rows, stream.key)]
        if lanes not in ([], [batch.lane]):
            remedy = "send a batch of one lane, the one its keys have"
            raise UnreadableBodyError(
                parameter="lane", rule=f"is {batch.lane}, its records have {lanes}", remedy=remedy
            )
        name = f"vintner-{self._environment}-{stream.resource_name}"
        sending = DeliveryLanes(self._put, name, wait=self._wait, attempts=ATTEMPTS)
        sending.add([Entry(partition_key(batch.lane), data, batch.rows.num_rows)])
        try:
            sending.drain()
        except (StreamUnavailableError, StreamRefusedError) as error:
            raise _not_taken(stream.name, error) from error
        return Outcome(stream.name, batch.producer, batch.rows.num_rows)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.lower() in ("identity", ""):
        data = body
    elif encoding.lower() == "gzip":
        reader = zlib.decompressobj(wbits=31)
        try:
            data = reader.decompress(body, MOST_BODY_BYTES + 1)
        except zlib.error as cause:
            raise UnreadableBodyError(parameter="body", rule="is not gzip", remedy="send what gzip makes") from cause
        if not reader.eof and len(data) <= MOST_BODY_BYTES:
            raise UnreadableBodyError(parameter="body", rule="is cut off", remedy="send all of what gzip makes")
    else:
        raise MediaTypeError(parameter="content-encoding", rule=f"is {encoding}", remedy="send gzip or identity")
    if len(data) > MOST_BODY_BYTES:
        rule = f"is larger than {MOST_BODY_BYTES} bytes"
        raise TooLargeError(parameter="body", rule=rule, remedy="send several requests")
    return data


def _json_records(data: bytes) -> list[Any]:
    found = _parsed(data)
    if isinstance(found, dict) and found.keys() == {"records"}:
        found = found["records"]
    if not isinstance(found, list):
        rule = "is not JSON records"
        raise UnreadableBodyError(parameter="body", rule=rule, remedy='send a list, or {"records": [...]}')
    return found


def _line(line: bytes) -> Any:
    found = _parsed(line)
    return FactError(field="record", rule="malformed bytes", remedy="send JSON") if found is _NOTHING else found


_NOTHING: Final = object()


def _parsed(data: bytes) -> Any:
    """Return a JSON value, its numbers exact; what is not JSON is a value nobody sends."""
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return _NOTHING


def _producer(stream: str, key: str | None, data: bytes, request_id: str) -> str:
    if key is None:
        return f"http/{request_id}"
    if not 0 < len(key) <= _LONGEST_KEY:
        rule = f"has {len(key)} characters"
        raise ParameterError(parameter="idempotency-key", rule=rule, remedy=f"give 1 to {_LONGEST_KEY}")
    digest = hashlib.sha256(f"{stream}\n{len(key)}\n{key}\n".encode() + data).hexdigest()
    return f"http/{digest[:32]}"


def _not_taken(stream: str, error: StreamUnavailableError | StreamRefusedError) -> StreamBusyError | StreamAwayError:
    remedy = "send the same request again later, with the same Idempotency-Key"
    away = isinstance(error, StreamRefusedError) or error.code in (OUTCOME_UNKNOWN, UNREACHABLE)
    kind = StreamAwayError if away else StreamBusyError
    return kind(stream=stream, code=error.code, remedy=remedy)
