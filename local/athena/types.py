"""Trino's types: from Arrow, and as Athena's API describes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt

from local.athena.engine import AthenaColumn
from local.athena.errors import StatementFailedError

_PLAIN: Final[tuple[tuple[Callable[[pa.DataType], bool], str], ...]] = (
    (pt.is_boolean, "boolean"),
    (pt.is_int8, "tinyint"),
    (pt.is_int16, "smallint"),
    (pt.is_int32, "integer"),
    (pt.is_int64, "bigint"),
    (pt.is_float32, "real"),
    (pt.is_float64, "double"),
    (pt.is_date32, "date"),
    (pt.is_time64, "time(6)"),
    (lambda type_: isinstance(type_, pa.UuidType), "uuid"),
    (pt.is_null, "unknown"),
)

# What Athena reports as Precision for types whose precision is not part of the type.
_PRECISION: Final = {
    "bigint": 19,
    "date": 0,
    "double": 17,
    "float": 17,
    "integer": 10,
    "smallint": 5,
    "timestamp": 3,
    "timestamp with time zone": 3,
    "tinyint": 3,
    "varbinary": 1073741824,
    "varchar": 2147483647,
}


def trino_type(type_: pa.DataType) -> str:
    """Return Trino's name of an Arrow type; microseconds are ``timestamp(6)``.

    Raises
    ------
    StatementFailedError
        There is no such type in Athena (an interval, for instance).

    Examples
    --------
    >>> trino_type(pa.timestamp("us", tz="UTC")), trino_type(pa.list_(pa.int64()))
    ('timestamp(6) with time zone', 'array(bigint)')
    """
    for matches, name in _PLAIN:
        if matches(type_):
            return name
    if pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_):
        return "varchar"
    if pt.is_binary(type_) or pt.is_large_binary(type_) or pt.is_fixed_size_binary(type_):
        return "varbinary"
    if pt.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pt.is_timestamp(type_):
        digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[type_.unit]
        return f"timestamp({digits})" + (" with time zone" if type_.tz else "")
    return _nested_type(type_)


def _nested_type(type_: pa.DataType) -> str:
    if pt.is_map(type_):
        return f"map({trino_type(type_.key_type)}, {trino_type(type_.item_type)})"
    if pt.is_list(type_) or pt.is_large_list(type_):
        return f"array({trino_type(type_.value_type)})"
    if pt.is_struct(type_):
        fields = (type_.field(i) for i in range(type_.num_fields))
        return "row(" + ", ".join(f"{field.name} {trino_type(field.type)}" for field in fields) + ")"
    raise StatementFailedError(
        code="NOT_SUPPORTED", message=f"The laptop's engine cannot return a column of type {type_}; cast it"
    )


def base_type(type_: str) -> str:
    """Return the type's name as Athena's API gives it, without parameters.

    Examples
    --------
    >>> base_type("timestamp(6) with time zone"), base_type("map(varchar, bigint)"), base_type("real")
    ('timestamp with time zone', 'map', 'float')
    """
    head = re.match(r"[a-z]+", type_)
    name = head.group() if head else type_
    if name == "timestamp" and type_.endswith("with time zone"):
        return "timestamp with time zone"
    return "float" if name == "real" else name


def column_info(column: AthenaColumn) -> dict[str, Any]:
    """Return the ``ColumnInfo`` structure of Athena's API."""
    name = base_type(column.type)
    decimal = re.fullmatch(r"decimal\((\d+),(\d+)\)", column.type)
    precision, scale = (int(decimal[1]), int(decimal[2])) if decimal else (_PRECISION.get(name, 0), 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": name,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": name == "varchar",
    }
