"""Answers as JSON: tables by columns and rows, and no answer larger than the platform can carry.

Cells lose nothing: a double is a JSON number with all its digits (NaN and the infinities, which JSON does not have, are
the texts ``NaN``, ``Infinity`` and ``-Infinity``), an instant is ISO 8601 in UTC with microseconds, null is null.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from vintner.aws.api.problems import TooLargeError
from vintner.bitemporal.model import utc

JSON: Final = "application/json"

MAX_RESPONSE_BYTES: Final = 5_500_000
"""Largest body, counted as it travels. A function's answer may have 6 MB, in which the body is a quoted text."""


def table_document(table: pa.Table) -> dict[str, Any]:
    """Return ``table`` as ``{"columns": [...], "rows": [[...], ...]}``, cells ready for JSON.

    Examples
    --------
    >>> table_document(pa.table({"value": [0.1, None]}))
    {'columns': ['value'], 'rows': [[0.1], [None]]}
    """
    columns = [[cell(value) for value in table[name].to_pylist()] for name in table.column_names]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return {"columns": table.column_names, "rows": rows}


def cell(value: Any) -> Any:
    """Return one value as JSON can carry it.

    Examples
    --------
    >>> from datetime import UTC
    >>> cell(datetime(2024, 5, 2, 20, 5, tzinfo=UTC)), cell(float("inf")), cell(0.1)
    ('2024-05-02T20:05:00.000000+00:00', 'Infinity', 0.1)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return utc(value).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def json_body(document: object) -> str:
    """Return the JSON text of ``document``.

    Raises
    ------
    TooLargeError
        If it could not be carried.
    """
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    # The text is ASCII; quotes and backslashes are escaped once more when the function's answer is written.
    size = len(text) + text.count('"') + text.count("\\")
    if size > MAX_RESPONSE_BYTES:
        rule = f"would have {size} bytes of at most {MAX_RESPONSE_BYTES}"
        raise TooLargeError(parameter="response", rule=rule, remedy="ask for fewer rows or a shorter span of time")
    return text
