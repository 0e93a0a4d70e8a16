"""A refused record as text: JSON of its fields, from which the very record can be made again.

Decimals and instants are text (``"100.50000000"``, ISO 8601 in UTC); so are floats that JSON has no form for
(``"nan"``, ``"inf"``). An instant outside the years 1 to 9999 is its microseconds since 1970.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa


def payloads(rows: pa.Table) -> list[str]:
    """Return each row as JSON text, fields in the order of the columns.

    Examples
    --------
    >>> payloads(pa.table({"symbol": ["é"], "price": pa.array([Decimal("1.5")], pa.decimal128(18, 8))}))
    ['{"symbol":"é","price":"1.50000000"}']
    """
    columns = {name: [_plain(cell) for cell in rows[name].combine_chunks()] for name in rows.column_names}
    return [
        json.dumps(dict(zip(columns, cells, strict=True)), ensure_ascii=False, separators=(",", ":"))
        for cells in zip(*columns.values(), strict=True)
    ]


def _plain(cell: pa.Scalar) -> Any:
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):  # an instant that no datetime can hold
        return cell.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
