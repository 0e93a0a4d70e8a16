"""How a JSON value becomes a value of each type a dataset may declare.

JSON has numbers, text, booleans, lists and objects. Everything else is stated as text in its usual form: a date and a
time as ISO 8601, an instant with its offset, a decimal in digits, a UUID with its dashes, bytes in base64. A list is a
list, a struct an object with the struct's fields, a map an object with text for keys or a list of pairs.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final

import pyarrow as pa

from vintner.lake.errors import FactError
from vintner.lake.model import Column

MAX_TEXT_CHARACTERS: Final = 10_000
MAX_NESTED: Final = 10_000
"""Elements one list or map may have."""
_LARGEST_FLOAT: Final = 3.4028234663852886e38


def read_value(column: Column, value: Any, kind: pa.DataType | None = None) -> Any:
    """Return a JSON value as one of a column's type.

    Parameters
    ----------
    kind
        The type, where it is one nested in the column's.

    Raises
    ------
    FactError
        Naming the column, the rule that is broken, and the remedy.

    Examples
    --------
    >>> read_value(Column(name="strike", type=pa.decimal128(9, 2), doc="Strike."), "182.50")
    Decimal('182.50')
    """
    kind = column.type if kind is None else kind
    for fits, read in _READERS:
        if fits(kind):
            return read(column, value, kind)
    raise FactError(field=column.name, rule=f"type {kind} cannot be stated in JSON", remedy="draft it from a file")


def wrong_type(column: Column, wanted: str) -> FactError:
    """Return the error of a value of another type than wanted."""
    return FactError(field=column.name, rule=f"wrong type, not {wanted}", remedy=f"send {wanted}: {column.doc}")


def _number(column: Column, value: Any, kind: pa.DataType) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(column, "a number")
    try:
        number = float(value)
    except OverflowError as cause:
        raise FactError(field=column.name, rule="too large for a double", remedy="check its unit") from cause
    if not math.isfinite(number):
        raise FactError(field=column.name, rule="not a finite number", remedy="leave an unknown value out (null)")
    if kind == pa.float32() and abs(number) > _LARGEST_FLOAT:
        raise FactError(field=column.name, rule="too large for a float", remedy="check its unit")
    return number


def _whole(column: Column, value: Any, kind: pa.DataType) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not -(2 ** (kind.bit_width - 1)) < value < 2 ** (kind.bit_width - 1)
    ):
        raise wrong_type(column, "a whole number")
    return value


def _boolean(column: Column, value: Any, _kind: pa.DataType) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(column, "true or false")
    return value


def _text(column: Column, value: Any, _kind: pa.DataType) -> str:
    if not isinstance(value, str):
        raise wrong_type(column, "text")
    if len(value) > MAX_TEXT_CHARACTERS:
        rule = f"longer than {MAX_TEXT_CHARACTERS} characters"
        raise FactError(field=column.name, rule=rule, remedy="store it as an object and state its location")
    return value


def _date(column: Column, value: Any, _kind: pa.DataType) -> date:
    found: date = _parsed(column, value, date.fromisoformat, "a date such as 2024-03-31")
    return found


def _time(column: Column, value: Any, _kind: pa.DataType) -> time:
    found: time = _parsed(column, value, time.fromisoformat, "a time such as 16:00:00")
    if found.tzinfo is not None:
        raise wrong_type(column, "a time without an offset")
    return found


def _timestamp(column: Column, value: Any, kind: pa.DataType) -> datetime:
    found: datetime = _parsed(column, value, datetime.fromisoformat, "a time in ISO 8601")
    if (found.utcoffset() is None) is (kind.tz is not None):
        raise wrong_type(column, "an instant with an offset" if kind.tz is not None else "a time without an offset")
    try:
        return found.astimezone(UTC) if kind.tz is not None else found
    except OverflowError as cause:
        raise wrong_type(column, "an instant from year 1 to 9999 in UTC") from cause


def _decimal(column: Column, value: Any, kind: pa.DataType) -> Decimal:
    wanted = f"a decimal as text, at most {kind.precision} digits, {kind.scale} of them after the point"
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > 2 * kind.precision + 4:
        raise wrong_type(column, wanted)
    try:
        with localcontext() as context:
            context.prec = 80
            found = Decimal(value)
            exact = found.quantize(Decimal(1).scaleb(-kind.scale))
    except InvalidOperation as cause:
        raise wrong_type(column, wanted) from cause
    if not found.is_finite() or exact != found or abs(exact) >= Decimal(10) ** (kind.precision - kind.scale):
        raise wrong_type(column, wanted)
    return exact


def _bytes(column: Column, value: Any, kind: pa.DataType) -> bytes:
    found: bytes = _parsed(column, value, lambda text: base64.b64decode(text, validate=True), "bytes in base64")
    if len(found) > MAX_TEXT_CHARACTERS:
        raise wrong_type(column, f"at most {MAX_TEXT_CHARACTERS} bytes")
    if pa.types.is_fixed_size_binary(kind) and len(found) != kind.byte_width:
        raise wrong_type(column, f"{kind.byte_width} bytes in base64")
    return found


def _uuid(column: Column, value: Any, _kind: pa.DataType) -> bytes:
    found: uuid.UUID = _parsed(column, value, uuid.UUID, "a UUID")
    return found.bytes


def _list(column: Column, value: Any, kind: pa.DataType) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_NESTED:
        raise wrong_type(column, f"a list of at most {MAX_NESTED}")
    return [None if one is None else read_value(column, one, kind.value_type) for one in value]


def _map(column: Column, value: Any, kind: pa.DataType) -> list[tuple[Any, Any]]:
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    fits = isinstance(pairs, list) and len(pairs) <= MAX_NESTED
    if not fits or any(not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] is None for pair in pairs):
        raise wrong_type(column, f"an object, or a list of pairs, of at most {MAX_NESTED}")
    return [
        (read_value(column, key, kind.key_type), None if item is None else read_value(column, item, kind.item_type))
        for key, item in pairs
    ]


def _struct(column: Column, value: Any, kind: pa.DataType) -> dict[str, Any]:
    names = [field.name for field in kind]
    if not isinstance(value, Mapping) or not set(value) <= set(names):
        raise wrong_type(column, f"an object with {', '.join(names)}")
    return {
        field.name: None if value.get(field.name) is None else read_value(column, value[field.name], field.type)
        for field in kind
    }


def _parsed(column: Column, value: Any, parse: Callable[[str], Any], wanted: str) -> Any:
    if not isinstance(value, str) or len(value) > 2 * MAX_TEXT_CHARACTERS:
        raise wrong_type(column, wanted)
    try:
        return parse(value)
    except ValueError as cause:
        raise wrong_type(column, wanted) from cause


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


_READERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Column, Any, pa.DataType], Any]], ...]] = (
    (_is_uuid, _uuid),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_signed_integer, _whole),
    (pa.types.is_floating, _number),
    (pa.types.is_string, _text),
    (pa.types.is_date32, _date),
    (pa.types.is_time64, _time),
    (pa.types.is_timestamp, _timestamp),
    (pa.types.is_decimal128, _decimal),
    (pa.types.is_binary, _bytes),
    (pa.types.is_fixed_size_binary, _bytes),
    (pa.types.is_list, _list),
    (pa.types.is_map, _map),
    (pa.types.is_struct, _struct),
)
"""By type: how a JSON value is read."""
