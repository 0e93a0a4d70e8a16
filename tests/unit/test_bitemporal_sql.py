"""The SQL of the reads: how names and values are written, what is refused, and that no name meets another."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import vintner.bitemporal.sql
from tests.behaviour.duckdb_runner import DuckDbRunner
from vintner.bitemporal import (
    FactSourceError,
    FactTableError,
    NaiveTimeError,
    NegativeSpanError,
    SpineTableError,
    fact_schema,
)
from vintner.bitemporal.sql import (
    Dialect,
    Parameter,
    SqlLiteralError,
    SqlNameError,
    SqlReads,
    SqlRevisionError,
    SqlSource,
    SqlSpanError,
    SqlSpine,
    SqlTable,
)
from vintner.bitemporal.sql.keywords import is_reserved
from vintner.bitemporal.sql.spelling import Spelling

AT = datetime(2024, 5, 2, 20, 5, tzinfo=UTC)
TABLE = SqlTable(name="earnings", columns=("eps",))
SOURCE = SqlSource(table=TABLE, columns={"eps": "eps"})
DUCKDB, ATHENA, SPARK = (SqlReads(dialect) for dialect in (Dialect.DUCKDB, Dialect.ATHENA, Dialect.SPARK))


@pytest.mark.parametrize("module", [each.name for each in pkgutil.iter_modules(vintner.bitemporal.sql.__path__)])
def test_the_examples_are_true(module: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(f"vintner.bitemporal.sql.{module}"))
    assert not failed


@pytest.mark.parametrize(
    ("dialect", "instant"),
    [
        (Dialect.DUCKDB, "TIMESTAMPTZ '2024-05-02 20:05:00.000001+00:00'"),
        (Dialect.ATHENA, "TIMESTAMP '2024-05-02 20:05:00.000001 UTC'"),
        (Dialect.SPARK, "TIMESTAMP '2024-05-02 20:05:00.000001+00:00'"),
    ],
)
def test_instants_are_exact_and_in_utc(dialect: Dialect, instant: str) -> None:
    eastern = AT.astimezone(timezone(timedelta(hours=-4))) + timedelta(microseconds=1)
    assert Spelling(dialect).instant(eastern) == instant


@pytest.mark.parametrize(
    ("dialect", "span", "text"),
    [
        (Dialect.DUCKDB, timedelta(days=10), "t - INTERVAL 240 HOURS"),
        (Dialect.DUCKDB, timedelta(microseconds=1), "t - INTERVAL 1 MICROSECONDS"),
        (Dialect.DUCKDB, timedelta(microseconds=2**53 + 1), "t - to_microseconds(9007199254740993)"),
        (Dialect.ATHENA, timedelta(days=10), "t - INTERVAL '10' DAY"),
        (Dialect.ATHENA, timedelta(days=1, hours=6), "t - INTERVAL '1' DAY - INTERVAL '6' HOUR"),
        (Dialect.ATHENA, timedelta(milliseconds=90_001), "t - INTERVAL '90.001' SECOND"),
        (Dialect.SPARK, timedelta(minutes=1), "timestamp_micros(unix_micros(t) - 60000000)"),
        (Dialect.SPARK, timedelta(0), "t"),
        (Dialect.ATHENA, timedelta.max, "t - INTERVAL '3652059' DAY"),
    ],
)
def test_spans_are_lengths_of_time(dialect: Dialect, span: timedelta, text: str) -> None:
    rounded = span - span % timedelta(milliseconds=1) if span == timedelta.max else span
    assert Spelling(dialect).earlier("t", rounded, field="ttl") == text


@pytest.mark.parametrize(
    ("dialect", "value", "text"),
    [
        (Dialect.ATHENA, "it's", "'it''s'"),
        (Dialect.SPARK, "plain", "'plain'"),
        (Dialect.SPARK, "a\\", "CAST(X'615c' AS string)"),
        (Dialect.SPARK, "${x}", "CAST(X'247b787d' AS string)"),
        (Dialect.DUCKDB, "a\0b", "decode(X'610062')"),
        (Dialect.ATHENA, "a\nb", "from_utf8(X'610a62')"),
        (Dialect.ATHENA, True, "TRUE"),
        (Dialect.ATHENA, 2**63 - 1, "CAST('9223372036854775807' AS bigint)"),
        (Dialect.ATHENA, Decimal("-1.50"), "CAST('-1.50' AS decimal(3, 2))"),
        (Dialect.ATHENA, AT, "TIMESTAMP '2024-05-02 20:05:00.000000 UTC'"),
        (Dialect.ATHENA, AT.date(), "DATE '2024-05-02'"),
        (Dialect.ATHENA, b"\x00'", "X'0027'"),
        (Dialect.ATHENA, None, "NULL"),
    ],
)
def test_values_are_written_so_that_they_cannot_end_their_literal(dialect: Dialect, value: Any, text: str) -> None:
    assert Spelling(dialect).literal(value) == text


@pytest.mark.parametrize("value", [2**63, 0.5, Decimal("NaN"), Decimal(10**38), "\ud800", [1]])
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(SqlLiteralError) as caught:
        DUCKDB.as_of(TABLE, at=AT, entity=value)
    assert caught.value.data["kind"] == type(value).__name__


def test_every_word_that_means_something_to_duckdb_is_quoted() -> None:
    reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    words = duckdb.connect().execute(reserved).fetchall()
    assert [word for (word,) in words if not is_reserved(word)] == []


@pytest.mark.parametrize(
    ("reads", "version", "clause"),
    [
        (ATHENA, "pit-1", "FOR VERSION AS OF 'pit-1'"),
        (ATHENA, 42, "FOR VERSION AS OF 42"),
        (ATHENA, AT, "FOR TIMESTAMP AS OF TIMESTAMP '2024-05-02 20:05:00.000000 UTC'"),
        (SPARK, "it", "VERSION AS OF 'it'"),
        (SPARK, AT, "TIMESTAMP AS OF TIMESTAMP '2024-05-02 20:05:00.000000+00:00'"),
    ],
)
def test_every_mention_of_a_table_has_its_revision(reads: SqlReads, version: Any, clause: str) -> None:
    table = SqlTable(name=("db", "earnings"), columns=("eps",), version=version)
    source = SqlSource(table=table, columns={"eps": "eps"}, ttl=timedelta(days=1), reason="why")
    cuts: list[dict[str, Any]] = [{}, {"known_at": AT}, {"known_at": "own"}, {"system_at": "own"}]
    spine = SqlSpine(columns=("entity", "time", "own"))
    texts = [
        reads.as_of(table, at=AT).text,
        reads.history(table, entity="X", event_time=AT).text,
        *(reads.as_of_join(spine, [source], **cut).text for cut in cuts),
        *(reads.trailing(spine, source, last=2, **cut).text for cut in cuts),
    ]
    for text in texts:
        assert text.count("db.earnings") == text.count(f"db.earnings {clause}") >= 1


@pytest.mark.parametrize(("reads", "version"), [(DUCKDB, "pit-1"), (DUCKDB, 42), (SPARK, "it's"), (ATHENA, "a\nb")])
def test_a_revision_that_cannot_be_read_is_refused(reads: SqlReads, version: Any) -> None:
    with pytest.raises(SqlRevisionError):
        reads.vintage(SqlTable(name="earnings", columns=("eps",), version=version), known_at=AT)


def test_parameters_are_named_in_the_order_of_their_marks() -> None:
    read = ATHENA.as_of(
        TABLE,
        entity=Parameter("entity"),
        at=Parameter("at"),
        known_at=Parameter("known at"),
        ttl=Parameter("days"),
    )
    assert read.parameters == ("entity", "known at", "at", "days", "at")
    assert read.text.count("?") == 5
    assert "date_add('day', -CAST(? AS bigint), CAST(? AS timestamp(6) with time zone))" in read.text


@pytest.mark.parametrize("dialect", [Dialect.DUCKDB])
def test_parameters_are_filled_by_the_engine(dialect: Dialect) -> None:
    rows = [["ACME", AT, AT, 0, "upsert", AT, 2.0], ["ACME", AT, AT + timedelta(days=9), 1, "upsert", AT, 1.8]]
    session = duckdb.connect()
    session.register("earnings", pa.table(list(zip(*rows, strict=True)), schema=_schema("eps")))
    read = SqlReads(dialect).as_of(
        TABLE, entity=Parameter("e"), at=Parameter("at"), known_at=Parameter("k"), ttl=Parameter("d"), columns=["eps"]
    )
    values = {"e": "ACME", "at": AT + timedelta(days=3), "k": AT + timedelta(days=9)}
    for days, expected in ((3, [(1.8,)]), (2, [])):
        given = [{**values, "d": days}[name] for name in read.parameters]
        assert session.execute(read.text, given).fetchall() == expected


def _schema(*names: str) -> pa.Schema:
    return fact_schema(pa.schema([(name, pa.float64()) for name in names]))


HELPERS = (
    *("known_until", "withdrawn_at", "newest_event", "has_version", "is_question", "version_rank", "event_rank"),
    *("asked_at", "asked_entity", "asked_known_at", "asked_system_at", "delivery", "moment", "event_rank_2", "spells"),
    *("select", "Group", 'say "what"', "back`tick", "a.b", "naïve", "x; DROP TABLE y"),
)
STEPS = ("asked", "spells", "moments", "standing", "passing", "newest", "answers", "known", "seen", "facts", "told")


@pytest.mark.parametrize("name", [*STEPS, "coming", "winners", "latest", "in_window", "why_asked", 'q"t', "select"])
def test_no_name_of_a_table_meets_one_of_a_step(name: str) -> None:
    runner = DuckDbRunner()
    rows = [
        ["ACME", AT, AT, 0, "upsert", AT, *range(len(HELPERS))],
        ["ACME", AT + timedelta(days=1), AT + timedelta(days=1), 0, "upsert", AT, *range(1, 1 + len(HELPERS))],
        ["ACME", AT + timedelta(days=1), AT + timedelta(days=2), 1, "delete", AT, *[None] * len(HELPERS)],
    ]
    runner.create(name, pa.table(list(zip(*rows, strict=True)), schema=_schema(*HELPERS)))
    times = [AT, AT + timedelta(days=1), AT + timedelta(days=2)]
    asked = {"entity": ["ACME"] * 3, "time": times, "event_rank": times, "asked_at": [None] * 3}
    schema = pa.schema([("entity", pa.string()), *((each, pa.timestamp("us", "UTC")) for each in list(asked)[1:])])
    runner.create("asking", pa.table(asked, schema=schema))
    outputs = {f"out {helper}": helper for helper in HELPERS} | {"op": "op", "knowledge_time": "event_time"}
    source = SqlSource(table=SqlTable(name=name, columns=HELPERS), columns=outputs, reason="answers")
    spine = SqlSpine(name="asking", columns=tuple(asked))
    for cuts in ({}, {"known_at": times[2]}, {"known_at": "event_rank"}, {"system_at": "asked_at"}):
        late = "known_at" in cuts and cuts["known_at"] == times[2]
        arguments: Any = {**cuts, "order_by": ["time"]}
        joined = runner.run(DUCKDB.as_of_join(spine, [source], **arguments).text)
        listed = runner.run(DUCKDB.trailing(spine, source, last=1, **arguments).text)
        for place, helper in enumerate(HELPERS):
            expected = [place, place if late else place + 1, place]
            assert joined[f"out {helper}"].to_pylist() == expected
            assert listed[f"out {helper}"].to_pylist() == [[value] for value in expected]
    for read in (
        DUCKDB.as_of(source.table, at=times[2]),
        DUCKDB.next_event(source.table, after=AT - timedelta(days=1), known_at=times[2]),
        DUCKDB.history(source.table, entity="ACME", event_time=AT),
    ):
        assert list(runner.run(read.text).select(list(HELPERS)).to_pylist()[0].values()) == list(range(len(HELPERS)))


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (SqlNameError, lambda: SqlTable(name="", columns=())),
        (SqlNameError, lambda: SqlTable(name="t", columns=("a\0b",))),
        (SqlNameError, lambda: Parameter("a\0b")),
        (FactTableError, lambda: SqlTable(name="t", columns=(), keys=())),
        (FactTableError, lambda: SqlTable(name="t", columns=("Op",))),
        (FactTableError, lambda: SqlTable.of("t", pa.schema([("entity", pa.string())]))),
        (FactTableError, lambda: DUCKDB.as_of(TABLE, at=AT, columns=["eps", "nosuch"])),
        (FactTableError, lambda: DUCKDB.as_of(TABLE, at=AT, entity=("a", "b"))),
        (SpineTableError, lambda: SqlSpine(columns=("entity",))),
        (SpineTableError, lambda: SqlSpine(columns=("entity", "time", "TIME"))),
        (SpineTableError, lambda: SqlSpine(rows=[])),
        (SpineTableError, lambda: SqlSpine(rows=[("ACME",)])),
        (SpineTableError, lambda: DUCKDB.as_of_join(SqlSpine(), [SOURCE], known_at="nosuch")),
        (SpineTableError, lambda: DUCKDB.as_of_join(SqlSpine(), [SOURCE], order_by=["nosuch"])),
        (SpineTableError, lambda: DUCKDB.trailing(SqlSpine(), SOURCE, last=0)),
        (FactSourceError, lambda: SqlSource(table=TABLE, columns={"a": "nosuch"})),
        (FactSourceError, lambda: SqlSource(table=TABLE, columns={}, spine_keys=("a", "b"))),
        (FactSourceError, lambda: DUCKDB.as_of_join(SqlSpine(), [SOURCE, SOURCE])),
        (NaiveTimeError, lambda: DUCKDB.as_of(TABLE, at=AT.replace(tzinfo=None))),
        (NegativeSpanError, lambda: DUCKDB.as_of(TABLE, at=AT, ttl=timedelta(seconds=-1))),
        (SqlSpanError, lambda: ATHENA.as_of(TABLE, at=AT, ttl=timedelta(microseconds=1))),
    ],
)
def test_what_makes_no_sense_is_refused(error: type[Exception], make: Any) -> None:
    with pytest.raises(error):
        make()
