"""Values of every type that Iceberg has pass through every read untouched, nulls and empty collections too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from tests.behaviour.runner import SqlRunner
from vintner.bitemporal import INSTANT, fact_schema
from vintner.bitemporal.sql import Dialect, SqlReads, SqlSource, SqlSpine, SqlStatement, SqlTable

FACTS: Final = "behaviour_values"
SPINE: Final = "behaviour_values_spine"

_STRUCT: Final = pa.struct([("name", pa.string()), ("sizes", pa.list_(pa.int64()))])
# column: type, three values of it
TYPED: Final[Mapping[str, tuple[pa.DataType, Sequence[Any]]]] = {
    "flag": (pa.bool_(), (True, False, None)),
    "small": (pa.int32(), (-(2**31), 2**31 - 1, None)),
    "large": (pa.int64(), (-(2**63), 2**63 - 1, None)),
    "half": (pa.float32(), (0.5, float("-inf"), None)),
    "whole": (pa.float64(), (0.1, -0.0, None)),
    "money": (pa.decimal128(38, 10), (Decimal("-1234567890123456789012345678.0123456789"), Decimal("0E-10"), None)),
    "cents": (pa.decimal128(9, 2), (Decimal("0.10"), Decimal("-9999999.99"), None)),
    "day": (pa.date32(), (date(1, 1, 1), date(9999, 12, 31), None)),
    "clock": (pa.time64("us"), (time(0, 0), time(23, 59, 59, 999999), None)),
    "wall": (pa.timestamp("us"), (datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29), None)),  # noqa: DTZ001 - a type without a zone
    "instant": (INSTANT, (datetime(2024, 7, 1, 12, 0, 0, 1, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC), None)),
    "text": (pa.string(), ('it\'s \\ "quoted" ${x} ?\n', "", None)),
    "bytes": (pa.binary(), (b"\x00\xff'", b"", None)),
    "fixed": (pa.binary(4), (b"\x00\x01\x02\xff", b"abcd", None)),
    "id": (pa.uuid(), (UUID(int=1), UUID(int=2**128 - 1), None)),
    "list": (pa.list_(pa.int64()), ([1, None, 3], [], None)),
    "lists": (pa.list_(pa.list_(pa.string())), ([["a"], [], None], [[None]], None)),
    "map": (pa.map_(pa.string(), pa.float64()), ([("b", 1.0), ("a", None)], [], None)),
    "struct": (_STRUCT, ({"name": None, "sizes": [1, None]}, {"name": "x", "sizes": []}, None)),
}

GAPS: Final[Mapping[str, Mapping[str, str]]] = {
    "spark": {"clock": "Spark 3.5 has no type for a time of day"},
}
"""Runner to columns its engine cannot read at all, with the reason."""


def check_values(runner: SqlRunner) -> None:
    """Read every type by every read."""
    names = [name for name in TYPED if name not in GAPS.get(runner.name, {})]
    runner.create(FACTS, _facts(names))
    runner.create(SPINE, _spine())
    try:
        for title, statement, rows in _reads(runner.dialect, names):
            answer = runner.run(statement.text)
            for name in names:
                expected = [_plain(TYPED[name][1][row] if isinstance(row, int) else _listed(name, row)) for row in rows]
                found = [_plain(value) for value in answer[name].to_pylist()]
                assert found == expected, f"{runner.name}, {title}: {name} should be {expected}, is {found}"
    finally:
        runner.drop(FACTS)
        runner.drop(SPINE)


def check_gaps(runner: SqlRunner) -> None:
    """What an engine is said to be unable to read it cannot read: the day it can, its gap is struck."""
    for name, reason in GAPS.get(runner.name, {}).items():
        table = f"behaviour_gap_{name}"
        try:
            runner.create(table, _facts([name]))
            runner.run(f"SELECT {_spelled(runner.dialect, name)} FROM {table}")  # noqa: S608 - names of our own
        except AssertionError:
            raise
        except Exception:  # noqa: BLE001, S112 - whatever the engine raises is its refusal
            continue
        finally:
            runner.drop(table)
        raise AssertionError(f"{runner.name} reads {name} now, so this is no gap any more: {reason}")


def _facts(names: Sequence[str]) -> pa.Table:
    """Event n of the entity has the n-th values; each was restated once, from the values of another."""
    rows = len(next(iter(TYPED.values()))[1])
    day = [datetime(2024, 1, 1 + event, tzinfo=UTC) for event in range(rows)]
    schema = fact_schema(pa.schema([(name, TYPED[name][0]) for name in names]))
    columns: dict[str, list[Any]] = {
        "entity": ["X"] * rows * 2,
        "event_time": day * 2,
        "knowledge_time": [*day, *(known + timedelta(hours=1) for known in day)],
        "revision_seq": [0] * rows + [1] * rows,
        "op": ["upsert"] * rows * 2,
        "ingested_at": day * 2,
    }
    for name in names:
        values = list(TYPED[name][1])
        columns[name] = [*values[1:], values[0], *values]
    return pa.table([_array(columns[field.name], field.type) for field in schema], schema=schema)


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    if isinstance(type_, pa.UuidType):
        return pa.ExtensionArray.from_storage(
            type_, pa.array([value and value.bytes for value in values], type_.storage_type)
        )
    return pa.array(values, type_)


def _spine() -> pa.Table:
    times = [datetime(2024, 1, day, 2, tzinfo=UTC) for day in (1, 2, 3)]
    return pa.table(
        {"number": [0, 1, 2], "entity": ["X"] * 3, "time": pa.array(times, INSTANT), "own": pa.array(times, INSTANT)}
    )


Told = tuple[str, SqlStatement, list[int | list[int]]]


def _reads(dialect: Dialect, names: Sequence[str]) -> list[Told]:
    """Every read, with the numbers of the values that its rows should have (a list of them for a window)."""
    reads, table = SqlReads(dialect), SqlTable(name=FACTS, columns=names)
    source = SqlSource(table=table, columns={name: name for name in names})
    told = SqlSource(table=table, columns={name: name for name in names}, ttl=timedelta(days=9), reason="why")
    spine = SqlSpine(name=SPINE, columns=("number", "entity", "time", "own"))
    last, order = datetime(2024, 2, 1, tzinfo=UTC), ["number"]
    day_by_day: list[Told] = [
        (
            f"as_of at {day}",
            reads.as_of(table, at=datetime(2024, 1, day, 2, tzinfo=UTC), ttl=timedelta(days=1)),
            [day - 1],
        )
        for day in (1, 2, 3)
    ]
    return [
        *day_by_day,
        ("vintage", reads.vintage(table, known_at=last), [0, 1, 2]),
        ("exact", reads.exact(table, event_time=datetime(2024, 1, 2, tzinfo=UTC), known_at=last), [1]),
        ("next_event", reads.next_event(table, after=datetime(2024, 1, 2, tzinfo=UTC), known_at=last), [2]),
        ("history", reads.history(table, entity="X", event_time=datetime(2024, 1, 1, tzinfo=UTC)), [1, 0]),
        ("join by time", reads.as_of_join(spine, [source], order_by=order), [0, 1, 2]),
        ("join at one cut", reads.as_of_join(spine, [source], known_at=last, order_by=order), [0, 1, 2]),
        ("join by own cut", reads.as_of_join(spine, [source], known_at="own", order_by=order), [0, 1, 2]),
        ("join told why", reads.as_of_join(spine, [told], known_at="own", system_at="own", order_by=order), [0, 1, 2]),
        ("trailing", reads.trailing(spine, source, last=2, order_by=order), [[0], [0, 1], [1, 2]]),
    ]


def _listed(name: str, rows: Sequence[int]) -> list[Any]:
    return [TYPED[name][1][row] for row in rows]


def _spelled(dialect: Dialect, name: str) -> str:
    quote = "`" if dialect is Dialect.SPARK else '"'
    return f"{quote}{name}{quote}"


def _plain(value: Any) -> Any:
    """Return a value so that engines agree that name one type differently: ids and times of day are text."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(each) for each in value]
        pairs = bool(value) and all(isinstance(each, tuple) for each in value)
        return sorted(items) if pairs else items
    return repr(value) if isinstance(value, float) else value
