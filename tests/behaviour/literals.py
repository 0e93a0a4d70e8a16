"""Values written into statements mean themselves: text that looks like SQL, the ends of whole numbers, bytes, dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from tests.behaviour.runner import SqlRunner
from vintner.bitemporal import fact_schema
from vintner.bitemporal.sql import SqlReads, SqlSource, SqlSpine, SqlTable

FACTS: Final = "behaviour_literals"
KEYS: Final = (
    pa.field("text", pa.string(), nullable=False),
    pa.field("whole", pa.int64(), nullable=False),
    pa.field("day", pa.date32(), nullable=False),
    pa.field("exact", pa.decimal128(20, 3), nullable=False),
    pa.field("raw", pa.binary(), nullable=False),
    pa.field("flag", pa.bool_(), nullable=False),
)
ENTITIES: Final = (
    ("it's", 2**63 - 1, date(1, 1, 1), Decimal("0.001"), b"", True),
    ("'; DROP TABLE behaviour_literals; --", -(2**63) + 1, date(9999, 12, 31), Decimal("-0.001"), b"'", False),
    ('"quoted" `ticks`', 2**31, date(2024, 2, 29), Decimal("12345678901234567.890"), b"\x00\xff", True),
    ("back\\slash \\' \\n", -(2**31), date(1969, 12, 31), Decimal(5), b"\\", False),
    ("${spark.app.name} ${env:HOME} $$ %s {x}", 0, date(1582, 10, 10), Decimal("1E+3"), b"--", True),
    ("line\nbreak\ttab\r", -1, date(2000, 1, 1), Decimal("0.1"), b"/*", False),
    ("? :name @x /* -- */", 7, date(2000, 1, 2), Decimal("0.2"), b"?", True),
    ("Ω 日本 🍷 e\u0301 \u202e \u00a0", 8, date(2000, 1, 3), Decimal(0), b"\n", False),
    ("", 9, date(2000, 1, 4), Decimal("0.3"), b"0", True),
)


def check_literals(runner: SqlRunner) -> None:
    """Find every entity by a spine that is written out, and by its key alone."""
    runner.create(FACTS, _facts())
    try:
        _found_by_spine(runner)
        _found_one_by_one(runner)
    finally:
        runner.drop(FACTS)


def _found_by_spine(runner: SqlRunner) -> None:
    names = [field.name for field in KEYS]
    rows = [(number, *entity, _day(3)) for number, entity in enumerate(ENTITIES)]
    spine = SqlSpine(columns=("asked", *names, "time"), rows=rows)
    source = SqlSource(table=_table(), columns={"number": "number"})
    answer = runner.run(SqlReads(runner.dialect).as_of_join(spine, [source], order_by=["asked"]).text)
    assert answer["number"].to_pylist() == list(range(len(ENTITIES))), f"{runner.name}: {answer.to_pylist()}"
    for place, name in enumerate(names):
        assert answer[name].to_pylist() == [entity[place] for entity in ENTITIES], f"{runner.name}: {name}"


def _found_one_by_one(runner: SqlRunner) -> None:
    for number, entity in enumerate(ENTITIES):
        read = SqlReads(runner.dialect).as_of(_table(), at=_day(2), entity=entity, columns=("number",))
        found = runner.run(read.text)["number"].to_pylist()
        assert found == [number], f"{runner.name}: {entity} is found as {found}"


def _table() -> SqlTable:
    return SqlTable(name=FACTS, columns=("number",), keys=[field.name for field in KEYS])


def _facts() -> pa.Table:
    rows: list[dict[str, Any]] = [
        dict(zip((field.name for field in KEYS), entity, strict=True))
        | {
            "event_time": _day(1),
            "knowledge_time": _day(2),
            "revision_seq": 0,
            "op": "upsert",
            "ingested_at": _day(2),
            "number": number,
        }
        for number, entity in enumerate(ENTITIES)
    ]
    return pa.Table.from_pylist(rows, schema=fact_schema(pa.schema([("number", pa.int64())]), KEYS))


def _day(day: int) -> datetime:
    return datetime(2024, 1, day, tzinfo=UTC)
