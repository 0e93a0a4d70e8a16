"""Cells as Athena prints them, in result files and in ``GetQueryResults``.

A double is printed as Java does: plain between 1E-3 and 1E7, otherwise with one digit before the point and an
exponent, always with a fraction, always the shortest digits that read back as the same number.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_MICROSECONDS = 6
_PLAIN_FROM, _PLAIN_TO = 1e-3, 1e7


def print_column(column: pa.ChunkedArray, type_: str) -> list[str | None]:
    """Return the cells of a column as text; null is None.

    Parameters
    ----------
    column
        The values.
    type_
        Trino's type; decides the digits of a timestamp.

    Examples
    --------
    >>> print_column(pa.chunked_array([[1e-05, 10000000.0, 0.5, None]]), "double")
    ['1.0E-5', '1.0E7', '0.5', None]
    """
    if pt.is_timestamp(column.type):
        return _print_timestamps(column, type_)
    if pt.is_date(column.type):
        return [_signed(text) for text in pc.cast(column, pa.string()).to_pylist()]  # Python's end with the year 9999
    values = column.to_pylist()
    if pt.is_map(column.type):
        return [None if value is None else print_value(value) if value else "{}" for value in values]
    if pt.is_string(column.type) or pt.is_large_string(column.type):
        return list(values)
    if pt.is_float32(column.type):
        return [None if value is None else print_real(value) for value in values]
    return [None if value is None else print_value(value) for value in values]


def _print_timestamps(column: pa.ChunkedArray, type_: str) -> list[str | None]:
    digits = re.search(r"\((\d)\)", type_)
    missing = _MICROSECONDS - int(digits[1]) if digits else 0
    texts = pc.cast(pc.cast(column, pa.timestamp("us")), pa.string()).to_pylist()
    cut = -missing - (missing == _MICROSECONDS) or None  # without digits the point goes too
    zone = " UTC" if column.type.tz else ""
    return [None if text is None else f"{_signed(text[:cut])}{zone}" for text in texts]


def _signed(text: str | None) -> str | None:
    """Put a plus before a year of more than four digits, as Java does."""
    return f"+{text}" if text is not None and text[4] != "-" and text[0] != "-" else text


def print_value(value: Any) -> str:
    """Return a value that is not null as text, nested values in Athena's brackets.

    Examples
    --------
    >>> print_value([1, None, 2.0]), print_value({"a": True}), print_value([("k", "v")])
    ('[1, null, 2.0]', '{a=true}', '{k=v}')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return print_double(value)
    if isinstance(value, bytes):
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return _print_row(value)
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return "{" + ", ".join(f"{_nested(key)}={_nested(item)}" for key, item in value) + "}"
        return "[" + ", ".join(_nested(item) for item in value) + "]"
    return _print_other(value)


def _print_row(row: dict[str, Any]) -> str:
    nameless = [f"element{index + 1}" for index in range(len(row))]
    names = [f"field{index}" for index in range(len(row))] if list(row) == nameless else list(row)
    return "{" + ", ".join(f"{name}={_nested(item)}" for name, item in zip(names, row.values(), strict=True)) + "}"


def _print_other(value: Any) -> str:
    if hasattr(value, "hour") and hasattr(value, "year"):
        zone = " UTC" if value.tzinfo is not None else ""
        return f"{value:%Y-%m-%d %H:%M:%S.%f}{zone}"
    if hasattr(value, "hour"):
        return f"{value:%H:%M:%S.%f}"
    return str(value)


def _nested(value: Any) -> str:
    return "null" if value is None else print_value(value)


def print_double(value: float) -> str:
    """Print a double as Java's ``Double.toString`` does.

    Examples
    --------
    >>> [print_double(x) for x in (1.0, 0.001, 0.00012, 12345678.9, -0.0, float("inf"))]
    ['1.0', '0.001', '1.2E-4', '1.23456789E7', '-0.0', 'Infinity']
    """
    return _print_float(value, repr(value))


def print_real(value: float) -> str:
    """Print a 32-bit float as Java's ``Float.toString`` does: with the digits that 32 bits need."""
    digits = next((f"{value:.{n}g}" for n in range(1, 9) if _is_same_real(f"{value:.{n}g}", value)), f"{value:.9g}")
    return _print_float(value, repr(float(digits)))


def _is_same_real(text: str, value: float) -> bool:
    return bool(pa.scalar(float(text), pa.float64()).cast(pa.float32(), safe=False).as_py() == value)


def _print_float(value: float, shortest: str) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1.0, value) < 0 else "0.0"
    sign, digits, exponent = Decimal(shortest).as_tuple()
    if not isinstance(exponent, int):  # only NaN and infinities, answered above
        return shortest
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + exponent  # digits before the decimal point
    minus = "-" if sign else ""
    if _PLAIN_FROM <= abs(value) < _PLAIN_TO:
        return minus + _plain(text, point)
    return f"{minus}{text[0]}.{text[1:] or '0'}E{point - 1}"


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    whole = digits[:point].ljust(point, "0")
    return f"{whole}.{digits[point:] or '0'}"
