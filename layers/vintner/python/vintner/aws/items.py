"""How a version of a fact is written as a DynamoDB item, without losing a bit.

- The keys are text in which alphabetical order is time order: instants have a fixed width (``Z``, microseconds) and
  revision numbers ten digits. ``pk`` is ``{dataset}#{entity}``, the entity as one text
  (:func:`vintner.features.online.entity_text`); ``sk`` is ``{event}#{knowledge}#{revision}``.
- A version of a dataset with a ttl says when it can no longer be an answer (``expires``, seconds since 1970): the table
  may forget it then.
- A double is kept as text, because DynamoDB's numbers are decimal: they have no NaN, no infinities, no negative zero
  and stop at 1e-130, while Python's ``repr`` of a double names exactly one double. A NaN is kept by its bits.
- Integers have at most 19 digits and fit a DynamoDB number (38 digits) exactly.
- A null is DynamoDB's NULL; a value that was never given has no attribute.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT, Operation, utc
from vintner.errors import VintnerError
from vintner.features.online import Key, Version, entity_text
from vintner.lake.model import Dataset

PK: Final = "pk"
SK: Final = "sk"
OP: Final = "op"
VALUES: Final = "values"
EXPIRES: Final = "expires"

Attribute = Mapping[str, Any]
"""A DynamoDB attribute value in its wire form, for instance ``{"S": "text"}``."""

_NULL: Final[Attribute] = {"NULL": True}
_NAN_PREFIX: Final = "nan:"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class UnsupportedColumnError(VintnerError, TypeError):
    """A column has a type that has no exact form in the online store."""

    template = "column {column} of {dataset} is {type}, which the online store cannot keep exactly; use {remedy}"


@dataclass(frozen=True, slots=True)
class _Codec:
    """The wire form of one Arrow type: the DynamoDB type, and both directions."""

    tag: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def instant_text(value: datetime) -> str:
    """Return the fixed-width text of an instant.

    Examples
    --------
    >>> instant_text(datetime(1969, 12, 31, 23, tzinfo=UTC))
    '1969-12-31T23:00:00.000000Z'
    """
    return f"{utc(value).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def partition_key(dataset: Dataset, key: Key) -> str:
    """Return the partition key under which all versions of an entity's facts lie."""
    return f"{dataset.name}#{entity_text(key)}"


class ItemFormat:
    """The items of one dataset, both ways.

    Raises
    ------
    UnsupportedColumnError
        If a column of the dataset has a type that has no exact form.

    Examples
    --------
    >>> ItemFormat(MACRO_SERIES).item(version)["sk"]  # doctest: +SKIP
    {'S': '2008-09-30T00:00:00.000000Z#2009-01-01T00:00:00.000000Z#0000000000'}
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._codecs = {column.name: _codec(dataset, column.name, column.type) for column in dataset.columns}

    def item(self, version: Version) -> dict[str, Attribute]:
        """Return the item of one version."""
        clocks = instant_text(version.event_time), instant_text(version.knowledge_time), f"{version.revision_seq:010d}"
        item: dict[str, Attribute] = {
            PK: {"S": partition_key(self._dataset, tuple(version.keys.values()))},
            SK: {"S": "#".join(clocks)},
            OP: {"S": version.op.value},
            VALUES: {"M": {name: self._attribute(name, value) for name, value in version.values.items()}},
        }
        if self._dataset.ttl is not None:
            item[EXPIRES] = {"N": str((version.event_time - _EPOCH + self._dataset.ttl) // _SECOND + 1)}
        return item

    def version(self, key: Key, item: Mapping[str, Attribute]) -> Version:
        """Return the version an item holds; columns no longer declared are left out."""
        event, knowledge, revision = item[SK]["S"].split("#")
        stored: Mapping[str, Attribute] = item[VALUES]["M"]
        values = {
            name: None if "NULL" in stored[name] else codec.decode(stored[name][codec.tag])
            for name, codec in self._codecs.items()
            if name in stored
        }
        keys = dict(zip(self._dataset.key_names, key, strict=True))
        return Version(keys, _instant(event), _instant(knowledge), int(revision), Operation(item[OP]["S"]), values)

    def _attribute(self, column: str, value: object) -> Attribute:
        codec = self._codecs[column]
        return _NULL if value is None else {codec.tag: codec.encode(value)}


def _codec(dataset: Dataset, column: str, kind: pa.DataType) -> _Codec:
    for matches, codec in _CODECS:
        if matches(kind):
            return codec
    remedy = "float64, int64, bool, string, binary, date32, decimal128 or timestamp(us, UTC)"
    raise UnsupportedColumnError(dataset=dataset.name, column=column, type=kind, remedy=remedy)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _double_text(value: float) -> str:
    return f"{_NAN_PREFIX}{struct.pack('>d', value).hex()}" if math.isnan(value) else repr(value)


def _double(text: str) -> float:
    if not text.startswith(_NAN_PREFIX):
        return float(text)
    value: float = struct.unpack(">d", bytes.fromhex(text.removeprefix(_NAN_PREFIX)))[0]
    return value


def _is_double(kind: pa.DataType) -> bool:
    return bool(pa.types.is_float32(kind) or pa.types.is_float64(kind))


_CODECS: Final[tuple[tuple[Callable[[pa.DataType], bool], _Codec], ...]] = (
    (_is_double, _Codec("S", _double_text, _double)),
    (pa.types.is_integer, _Codec("N", str, int)),
    (pa.types.is_boolean, _Codec("BOOL", bool, bool)),
    (pa.types.is_string, _Codec("S", str, str)),
    (pa.types.is_large_string, _Codec("S", str, str)),
    (pa.types.is_binary, _Codec("B", bytes, bytes)),
    (pa.types.is_date32, _Codec("S", date.isoformat, date.fromisoformat)),
    (pa.types.is_decimal128, _Codec("S", str, Decimal)),
    (INSTANT.equals, _Codec("S", instant_text, _instant)),
)
