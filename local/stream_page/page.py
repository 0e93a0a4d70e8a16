"""From declarations to the page: the same declarations that make the templates and the wire form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from infra.paths import ROOT
from vintner.messaging.records import RecordField, fields_of, name_of, version_of
from vintner.messaging.streams import LANES, STREAMS, Consumer, Criticality, Role, Stream
from vintner.messaging.wire import MAX_WIRE_BYTES

PATH: Final = ROOT / "docs" / "streams.md"

_OPENING: Final = f"""\
# Streams

<!-- Written by `python -m local.stream_page` from vintner.messaging.streams and vintner.messaging.records. -->

Each stream is declared once, in `vintner.messaging.streams`. From the declaration come its Kinesis stream
(`vintner-{{environment}}-` and its name with hyphens), the functions that drain it with their roles, mappings and
alarms, the types of producers and consumers, and this page. Shards, memory and batches are the environments' own
(`infra/environments`), and so is retention where it is longer than the least named here.

A delivery is a batch of records of one type, from one producer, in one lane: a header, then Arrow columns, compressed
above 1 kB, at most {MAX_WIRE_BYTES:,} bytes
([`messaging/wire.py`](../layers/vintner/python/vintner/messaging/wire.py)). The key of a record decides its lane, one
of {LANES}, and the lane is the partition key: records with the same key arrive in the order they were sent, records of
different lanes in any. Everything is delivered at least once.

A later version of a record only adds fields that may be null; a test holds released versions to what they were.
"""
_CRITICALITY: Final[Mapping[Criticality, str]] = {
    Criticality.CRITICAL: "critical: an id is claimed by a conditional write before a record has any effect",
    Criticality.STANDARD: "standard: a record that comes twice is known by its sequence number and its version key",
}
_ROLES: Final[Mapping[Role, str]] = {
    Role.LANDER: "lands it in the lake",
    Role.LEDGER: "claims ids, then lands it in the lake",
    Role.PROCESSOR: "keeps state and derives",
}
_UNITS: Final[Mapping[pa.DataType, tuple[str, str]]] = {
    pa.timestamp("us", tz="UTC"): ("instant", "µs since 1970, UTC"),
    pa.int64(): ("integer", "64 bit"),
    pa.float64(): ("float", "64 bit"),
    pa.bool_(): ("boolean", ""),
    pa.string(): ("text", "UTF-8"),
}


def page() -> str:
    """Return the whole page."""
    parts = [_OPENING, "\n".join(_overview()), *("\n".join(_section(stream)) for stream in STREAMS.values())]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _overview() -> Iterator[str]:
    yield from _table(
        ("stream", "record", "key", "kept at least", "criticality", "drained by"),
        (
            (
                f"[`{stream.name}`](#{_anchor(stream.name)})",
                name_of(stream.record),
                ", ".join(stream.key),
                f"{stream.retention_hours} h",
                stream.criticality,
                ", ".join(consumer.function for consumer in stream.consumers),
            )
            for stream in STREAMS.values()
        ),
    )


def _section(stream: Stream) -> Iterator[str]:
    yield f"## `{stream.name}`"
    yield ""
    yield stream.doc
    yield ""
    yield from (f"- {line}" for line in _facts(stream))
    yield ""
    yield f"`{name_of(stream.record)}`, version {version_of(stream.record)}: {_sentence(stream.record)}"
    yield ""
    yield from _table(("field", "type", "form", "null", "since", "meaning"), map(_row, fields_of(stream.record)))


def _facts(stream: Stream) -> Iterator[str]:
    names = " and ".join(f"`{name}`" for name in stream.key)
    yield f"ordered within {stream.ordering}: {names}"
    yield f"kept for at least {stream.retention_hours} hours"
    yield _CRITICALITY[stream.criticality]
    for consumer in stream.consumers:
        yield _consumer(consumer)
    for producer in sorted(_producers(stream)):
        yield f"derived by `{producer}`"


def _consumer(consumer: Consumer) -> str:
    produced = " and ".join(f"`{name}`" for name in consumer.produces)
    return f"`{consumer.function}` {_ROLES[consumer.role]}" + (f" {produced}" if produced else "")


def _producers(stream: Stream) -> set[str]:
    consumers = (consumer for other in STREAMS.values() for consumer in other.consumers)
    return {consumer.function for consumer in consumers if stream.name in consumer.produces}


def _row(field: RecordField) -> tuple[str, ...]:
    kind, unit = _type(field.type)
    return (
        f"`{field.name}`",
        kind,
        unit,
        "yes" if field.nullable else "",
        str(field.since),
        field.doc.replace("|", "\\|"),
    )


def _type(kind: pa.DataType) -> tuple[str, str]:
    """Return what a type is called, and its unit or form.

    Examples
    --------
    >>> _type(pa.decimal128(18, 8)), _type(pa.timestamp("us", tz="UTC"))
    (('decimal', '18 digits, 8 after the point'), ('instant', 'µs since 1970, UTC'))
    """
    if pa.types.is_decimal(kind):
        return "decimal", f"{kind.precision} digits, {kind.scale} after the point"
    return _UNITS[kind]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _sentence(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
