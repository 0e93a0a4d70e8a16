"""From a stated record to a fact of its dataset, or the one rule it breaks.

Every rule is checked in the same order, so that a record is always refused for the same reason: shape, entity,
clocks, revision, operation, value names, value types, bounds. Each refusal names the field, the rule and the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vintner.bitemporal.model import (
    ENTITY,
    EVENT_TIME,
    KNOWLEDGE_TIME,
    MAX_REVISION,
    OP,
    REVISION_SEQ,
    Operation,
)
from vintner.lake.errors import FactError
from vintner.lake.jsonvalues import read_value
from vintner.lake.model import ENTITY_KEY, Column, Dataset

VALUES: Final = "values"
RECORD_FIELDS: Final = frozenset({EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP, VALUES})
"""Fields of every record, besides its entity keys."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a sender's clock may run ahead before knowledge counts as coming from the future."""
MAX_ENTITY_CHARACTERS: Final = 200


def parse_fact(dataset: Dataset, record: Any, *, now: datetime) -> dict[str, Any]:
    """Return the fact a record states: the version key, the operation and every value column (absent: None).

    Parameters
    ----------
    record
        A mapping with the entity keys (``entity``), ``event_time``, ``knowledge_time`` (ISO 8601 with offset),
        optionally ``revision_seq`` (0) and ``op`` (upsert), and ``values``.
    now
        The instant of arrival, against which knowledge from the future is refused.

    Raises
    ------
    FactError
        Naming the field, the rule it breaks, and the remedy.

    Examples
    --------
    >>> from vintner.marketdata.datasets import MACRO_SERIES
    >>> record = {"entity": "uk.gdpkp", "event_time": "2008-09-30T00:00:00+00:00",
    ...           "knowledge_time": "2009-01-01T00:00:00Z", "values": {"value": 319114.36}}
    >>> fact = parse_fact(MACRO_SERIES, record, now=datetime(2026, 1, 5, tzinfo=UTC))
    >>> fact["knowledge_time"].isoformat(), fact["revision_seq"], fact["op"], fact["value"]
    ('2009-01-01T00:00:00+00:00', 0, 'upsert', 319114.36)
    """
    if not isinstance(record, Mapping):
        raise FactError(field="record", rule="is not an object", remedy="send an object with entity, clocks and values")
    known = RECORD_FIELDS | set(dataset.key_names)
    for name in record:
        if name not in known:
            raise FactError(field=str(name), rule="unknown field", remedy=f"known are {', '.join(sorted(known))}")
    operation = _operation(record.get(OP, Operation.UPSERT))
    return {
        **_keys(dataset, record),
        EVENT_TIME: _instant(record, EVENT_TIME),
        KNOWLEDGE_TIME: _known(record, now),
        REVISION_SEQ: _revision(record.get(REVISION_SEQ, 0)),
        OP: operation,
        **_values(dataset, record.get(VALUES, {}), operation),
    }


def _keys(dataset: Dataset, record: Mapping[str, Any]) -> dict[str, Any]:
    if dataset.keys == ENTITY_KEY:
        return {ENTITY: _entity(record.get(ENTITY))}
    keys = {}
    for key in dataset.keys:
        if record.get(key.name) is None:
            raise FactError(field=key.name, rule="missing key", remedy=f"state it: {key.doc}")
        keys[key.name] = read_value(key, record[key.name])
    return keys


def _entity(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise FactError(field=ENTITY, rule="missing or not text", remedy="name what the fact is about")
    if len(value) > MAX_ENTITY_CHARACTERS:
        raise FactError(field=ENTITY, rule=f"longer than {MAX_ENTITY_CHARACTERS} characters", remedy="shorten the name")
    return value


def _instant(record: Mapping[str, Any], clock: str) -> datetime:
    value = record.get(clock)
    if value is None:
        raise FactError(field=clock, rule="missing clock", remedy="state it as ISO 8601 with an offset")
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError) as cause:
        raise FactError(field=clock, rule="not an instant", remedy="state it as ISO 8601 with an offset") from cause
    if instant.utcoffset() is None:
        raise FactError(field=clock, rule="naive time", remedy=f"give an offset, for instance {value}+00:00")
    try:
        return instant.astimezone(UTC)
    except OverflowError as cause:
        raise FactError(field=clock, rule="out of range", remedy="use an instant from year 1 to 9999 in UTC") from cause


def _known(record: Mapping[str, Any], now: datetime) -> datetime:
    known = _instant(record, KNOWLEDGE_TIME)
    if known > now + CLOCK_SKEW:
        remedy = "send it when it is known, or correct the sender's clock"
        raise FactError(field=KNOWLEDGE_TIME, rule="knowledge time in the future", remedy=remedy)
    return known


def _revision(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_REVISION:
        remedy = f"number revisions 0, 1, 2, … up to {MAX_REVISION}"
        raise FactError(field=REVISION_SEQ, rule="not a whole number from 0", remedy=remedy)
    return value


def _operation(value: Any) -> str:
    try:
        return Operation(value).value
    except ValueError as cause:
        raise FactError(field=OP, rule="unknown operation", remedy="use upsert or delete") from cause


def _values(dataset: Dataset, values: Any, operation: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise FactError(field=VALUES, rule="is not an object", remedy="send an object of column names and values")
    columns = {column.name: column for column in dataset.columns}
    for name in values:
        if name not in columns:
            remedy = f"columns of {dataset.name} are {', '.join(columns)}"
            raise FactError(field=str(name), rule="unknown field", remedy=remedy)
    if operation == Operation.DELETE:
        if any(value is not None for value in values.values()):
            raise FactError(field=VALUES, rule="a delete has values", remedy="leave the values out of a delete")
        return dict.fromkeys(columns)
    return {name: _value(column, values.get(name)) for name, column in columns.items()}


def _value(column: Column, value: Any) -> Any:
    if value is None:
        if column.required:
            raise FactError(field=column.name, rule="missing value", remedy=f"state it: {column.doc}")
        return None
    typed = read_value(column, value)
    if column.exclusive_minimum is not None and not typed > column.exclusive_minimum:
        rule = f"not above {column.exclusive_minimum:g}"
        raise FactError(field=column.name, rule=rule, remedy=f"check the feed: {column.doc}")
    if column.minimum is not None and not typed >= column.minimum:
        raise FactError(field=column.name, rule=f"below {column.minimum:g}", remedy=f"check the feed: {column.doc}")
    return typed
