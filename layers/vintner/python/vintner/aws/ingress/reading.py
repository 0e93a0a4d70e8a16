"""From rows somebody states to records of a stream: each is read exactly, or refused with field, rule and remedy.

Numbers stay what was written: a decimal is read from its digits, never from a binary fraction, except where a file
holds binary fractions itself (then the shortest decimal that stands for it is meant). An instant needs its offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from vintner.lake.errors import FactError
from vintner.lake.jsonvalues import read_value
from vintner.lake.model import Column
from vintner.messaging.errors import UnknownStreamError
from vintner.messaging.records import fields_of, schema_of
from vintner.messaging.streams import STREAMS, Stream

_DERIVED: Final = {name for stream in STREAMS.values() for one in stream.consumers for name in one.produces}
OPEN: Final = tuple(name for name in STREAMS if name not in _DERIVED)
"""Streams that records from outside may enter: those that nothing here derives."""

RECEIVED_AT: Final = "received_at"
_WHOLE: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no record: its place among those given, and why."""

    index: int
    field: str
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Read:
    """Records read, in order, and rows refused."""

    rows: pa.RecordBatch
    refused: list[RefusedRow]


def open_stream(name: str) -> Stream:
    """Return a stream that records from outside may enter.

    Raises
    ------
    UnknownStreamError
        There is none of that name, or its records are derived here; names those there are.
    """
    if name not in OPEN:
        raise UnknownStreamError(stream=name, known=", ".join(OPEN))
    return STREAMS[name]


def read_rows(kind: type[Any], rows: Iterable[Any], *, received_at: datetime, text: bool = False) -> Read:
    """Read rows as records of a type.

    Parameters
    ----------
    kind
        The record type.
    rows
        Mappings of field names to values; a ``FactError`` in place of a row that could not be read at all.
    received_at
        When they arrived: what a ``received_at`` that is not stated becomes.
    text
        Whether every value is text, as in CSV: the empty text is null.

    Examples
    --------
    >>> from vintner.messaging.records import Signal
    >>> at = datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    >>> [(one.field, one.rule) for one in read_rows(Signal, [{"signal_id": 1}], received_at=at).refused]
    [('signal_id', 'wrong type, not text')]
    """
    columns = _columns(kind)
    default = received_at if RECEIVED_AT in columns else None
    good: list[dict[str, Any]] = []
    refused = []
    for index, row in enumerate(rows):
        try:
            good.append(_record(columns, row, default, text=text))
        except FactError as error:
            refused.append(RefusedRow(index, error.field, error.rule, error.remedy))
    return Read(pa.RecordBatch.from_pylist(good, schema=schema_of(kind)), refused)


def _columns(kind: type[Any]) -> Mapping[str, tuple[Column, bool]]:
    """Each field as the reader of values takes it, and whether it may be null."""
    return {one.name: (Column(name=one.name, type=one.type, doc=one.doc), one.nullable) for one in fields_of(kind)}


def _record(
    columns: Mapping[str, tuple[Column, bool]], row: Any, received_at: datetime | None, *, text: bool
) -> dict[str, Any]:
    if isinstance(row, FactError):
        raise row
    if not isinstance(row, Mapping):
        raise FactError(field="record", rule="is not an object", remedy="send an object of field names and values")
    if unknown := row.keys() - columns.keys():
        name = str(min(map(str, unknown)))
        raise FactError(field=name, rule="unknown field", remedy=f"known are {', '.join(columns)}")
    record = {}
    for name, (column, nullable) in columns.items():
        value = row.get(name)
        if value is None or (text and value == ""):
            if name == RECEIVED_AT and received_at is not None:
                record[name] = received_at
            elif not nullable:
                raise FactError(field=name, rule="missing value", remedy=f"state it: {column.doc}")
            continue
        record[name] = _value(column, _typed(value, column.type) if text else _plain(value, column.type))
    return record


def _value(column: Column, value: Any) -> Any:
    read = read_value(column, value)
    if isinstance(read, str):
        try:
            read.encode()
        except UnicodeEncodeError as cause:
            raise FactError(field=column.name, rule="not UTF-8", remedy="write the text as UTF-8") from cause
    return read


def _typed(value: str, kind: pa.DataType) -> Any:
    """Return text as the JSON value it stands for; text that stands for none is judged as text."""
    if pa.types.is_integer(kind) and _WHOLE.fullmatch(value):
        return int(value)
    if pa.types.is_boolean(kind):
        return _BOOLEANS.get(value.lower(), value)
    if pa.types.is_floating(kind):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value as JSON has it, where a parser or a file gave another form of the same."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal) and pa.types.is_floating(kind):
        return float(value)
    if isinstance(value, Decimal) and pa.types.is_decimal(kind):
        return str(value)
    if isinstance(value, float) and pa.types.is_decimal(kind):
        return repr(value)
    return value
