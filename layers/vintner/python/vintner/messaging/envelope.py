"""The wire format: one delivery is an envelope of records about one dataset, as UTF-8 JSON.

``{"schema": "vintner.facts/1", "dataset": …, "source": …, "producer": …, "sent_at": …, "records": [ … ]}``
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vintner.messaging.errors import EnvelopeError

SCHEMA: Final = "vintner.facts/1"
MAX_RECORDS: Final = 500
MAX_BYTES: Final = 900 * 1024
"""A Kinesis record may hold 1 MiB; the rest is left for its key and for growth."""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_TEXT_FIELDS: Final = ("dataset", "source", "producer", "sent_at")
_FIELDS: Final = frozenset({"schema", "records", *_TEXT_FIELDS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Records of one dataset from one source, as one delivery carries them. The records are not yet judged."""

    dataset: str
    source: str
    producer: str
    sent_at: datetime
    records: Sequence[Any]


def encode(envelope: Envelope) -> bytes:
    """Return an envelope as bytes.

    Examples
    --------
    >>> from datetime import UTC
    >>> sent = datetime(2026, 1, 5, tzinfo=UTC)
    >>> envelope = Envelope(dataset="macro_series", source="ons", producer="p", sent_at=sent, records=[{"entity": "x"}])
    >>> decode(encode(envelope)) == envelope
    True
    """
    wire = {
        "schema": SCHEMA,
        "dataset": envelope.dataset,
        "source": envelope.source,
        "producer": envelope.producer,
        "sent_at": envelope.sent_at.isoformat(),
        "records": list(envelope.records),
    }
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> Envelope:
    """Return the envelope in a delivery's bytes.

    Raises
    ------
    EnvelopeError
        Naming the field, the rule it breaks, and the remedy. The whole delivery is refused.
    """
    wire = _json_object(data)
    for name in wire:
        if name not in _FIELDS:
            raise EnvelopeError(field=str(name), rule="unknown field", remedy=f"known are {', '.join(sorted(_FIELDS))}")
    if wire.get("schema") != SCHEMA:
        raise EnvelopeError(field="schema", rule="unknown schema", remedy=f"this processor reads {SCHEMA}")
    for name in _TEXT_FIELDS:
        if not isinstance(wire.get(name), str) or not wire[name]:
            raise EnvelopeError(field=name, rule="missing or not text", remedy=f"state the {name} of the records")
    records = wire.get("records")
    if not isinstance(records, list):
        raise EnvelopeError(field="records", rule="missing or not a list", remedy="send a list of records")
    if len(records) > MAX_RECORDS:
        raise EnvelopeError(
            field="records", rule="oversized batch", remedy=f"send at most {MAX_RECORDS} records at once"
        )
    return Envelope(
        dataset=wire["dataset"],
        source=wire["source"],
        producer=wire["producer"],
        sent_at=_sent_at(wire["sent_at"]),
        records=records,
    )


def _json_object(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_BYTES:
        raise EnvelopeError(field="delivery", rule="oversized batch", remedy=f"send at most {MAX_BYTES} bytes at once")
    try:
        wire = json.loads(data.decode(), parse_constant=_no_constant, parse_float=_finite)
    except (UnicodeDecodeError, ValueError, RecursionError) as cause:
        raise EnvelopeError(field="delivery", rule="malformed bytes", remedy="send UTF-8 JSON") from cause
    if _SURROGATE.search(data) and not _is_unicode(wire):
        raise EnvelopeError(field="delivery", rule="malformed bytes", remedy="escape characters as pairs of surrogates")
    if not isinstance(wire, dict):
        raise EnvelopeError(field="delivery", rule="is not an object", remedy="send an envelope of records")
    return wire


def _is_unicode(wire: Any) -> bool:
    """Whether every text in ``wire`` can be written; JSON can escape half a character, which nothing can store."""
    try:
        json.dumps(wire, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and infinities are no JSON


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _sent_at(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as cause:
        raise EnvelopeError(
            field="sent_at", rule="not an instant", remedy="state it as ISO 8601 with offset"
        ) from cause
    if instant.utcoffset() is None:
        raise EnvelopeError(field="sent_at", rule="naive time", remedy=f"give an offset, for instance {text}+00:00")
    return instant
