"""Trino's JSON rows as Arrow.

Types are taken from the signature that comes with every column. What Arrow's types have no room for stays the text
that Trino sent: times with more than six digits, and times in zones other than UTC.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from local.trino.errors import TrinoError

_MICROSECONDS: Final = 6
_PLAIN: Final = MappingProxyType(
    {
        "boolean": pa.bool_(),
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "varbinary": pa.binary(),
        "unknown": pa.null(),
    }
)
_UNITS: Final = MappingProxyType({0: "s", 3: "ms", 6: "us"})


def arrow_table(columns: Sequence[dict[str, Any]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as a table; names may repeat.

    Parameters
    ----------
    columns
        Trino's descriptions of the columns: name, type, type signature.
    rows
        Their cells, as JSON has them.

    Examples
    --------
    >>> signature = {"rawType": "decimal", "arguments": [{"value": 4}, {"value": 1}]}
    >>> arrow_table([{"name": "a", "type": "decimal(4,1)", "typeSignature": signature}], [["12.5"], [None]])["a"][0]
    <pyarrow.Decimal128Scalar: Decimal('12.5')>
    """
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [_array(column["typeSignature"], list(values)) for column, values in zip(columns, cells, strict=True)]
    return pa.Table.from_arrays(arrays, names=[str(column["name"]) for column in columns])


def _array(signature: dict[str, Any], values: list[Any]) -> pa.Array:
    type_ = _type(signature)
    if pt.is_timestamp(type_) and type_.tz is not None and not all(v is None or v.endswith(" UTC") for v in values):
        return pa.array(values, pa.string())
    read = _reader(signature)
    converted = [None if value is None else read(value) for value in values]
    return _times(converted, type_, values) if _has_time(type_) else pa.array(converted, type_)


def _times(converted: list[Any], type_: pa.DataType, values: list[Any]) -> pa.Array:
    """Let Arrow read the texts of times, however deep they lie."""
    try:
        return pc.cast(pa.array(converted, _as_text(type_)), type_)
    except pa.ArrowInvalid as error:
        if not pt.is_nested(type_):
            return pa.array(values, pa.string())  # a year beyond 9999
        raise TrinoError(
            code="NOT_SUPPORTED",
            kind="USER_ERROR",
            message=f"A nested time of another zone than UTC cannot be shown; use AT TIME ZONE 'UTC' ({error})",
            line=None,
            column=None,
        ) from error


def _type(signature: dict[str, Any]) -> pa.DataType:
    raw = signature["rawType"]
    inside = signature.get("arguments") or []
    if raw in _PLAIN:
        return _PLAIN[raw]
    if raw == "decimal":
        return pa.decimal128(inside[0]["value"], inside[1]["value"])
    if raw in ("timestamp", "timestamp with time zone"):
        digits = inside[0]["value"] if inside else 3
        if digits > _MICROSECONDS:
            return pa.string()
        return pa.timestamp(_UNITS.get(digits, "us"), tz="UTC" if raw.endswith("zone") else None)
    if raw == "array":
        return pa.list_(_type(inside[0]["value"]))
    if raw == "map":
        key = _type(inside[0]["value"])
        return pa.map_(pa.string() if pt.is_null(key) else key, _type(inside[1]["value"]))
    if raw == "row":
        fields = [_field(each["value"], number) for number, each in enumerate(inside)]
        return pa.struct([pa.field(name, _type(of)) for name, of in fields])
    return pa.string()


def _field(argument: dict[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """Return name and type of a row's field; a nameless one is called as Athena prints it."""
    name = (argument.get("fieldName") or {}).get("name")
    return name or f"field{number}", argument["typeSignature"]


def _reader(signature: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what turns a JSON value (not null) of a type into what Arrow takes."""
    raw, inside = signature["rawType"], signature.get("arguments") or []
    if raw == "decimal":
        return Decimal
    if raw in ("double", "real"):
        return float  # NaN and infinities are texts
    if raw == "varbinary":
        return base64.b64decode
    if raw == "timestamp with time zone":
        return lambda text: text.replace(" UTC", "Z")
    if raw == "array":
        return _listed(_reader(inside[0]["value"]))
    if raw == "map":
        return _mapped(inside[0]["value"], inside[1]["value"])
    if raw == "row":
        return _structured([_field(each["value"], number) for number, each in enumerate(inside)])
    return lambda value: value


def _listed(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [None if value is None else read(value) for value in values]


def _mapped(key: dict[str, Any], value: dict[str, Any]) -> Callable[[Any], Any]:
    # JSON has text keys only, so Trino prints other keys; numbers and booleans read back as JSON.
    prints = key["rawType"] in ("tinyint", "smallint", "integer", "bigint", "boolean")
    read_key, read = (json.loads if prints else _reader(key)), _reader(value)
    return lambda entries: [(read_key(k), None if v is None else read(v)) for k, v in entries.items()]


def _structured(fields: list[tuple[str, dict[str, Any]]]) -> Callable[[Any], Any]:
    readers = [(name, _reader(of)) for name, of in fields]
    return lambda values: {
        name: None if value is None else read(value) for (name, read), value in zip(readers, values, strict=True)
    }


def _has_time(type_: pa.DataType) -> bool:
    if pt.is_date(type_) or pt.is_timestamp(type_):
        return True
    return pt.is_nested(type_) and any(_has_time(type_.field(i).type) for i in range(type_.num_fields))


def _as_text(type_: pa.DataType) -> pa.DataType:
    """Return the type with text wherever it has a time."""
    if pt.is_date(type_) or pt.is_timestamp(type_):
        return pa.string()
    if pt.is_map(type_):
        return pa.map_(_as_text(type_.key_type), _as_text(type_.item_type))
    if pt.is_list(type_):
        return pa.list_(_as_text(type_.value_type))
    if pt.is_struct(type_):
        return pa.struct([pa.field(field.name, _as_text(field.type)) for field in type_])
    return type_
