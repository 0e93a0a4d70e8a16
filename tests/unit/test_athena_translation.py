from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyiceberg import expressions
from pyiceberg.catalog import Catalog

from infra.named_queries import NamedQuery, read_named_queries
from local.athena import Cancellation, Statement, StatementKind
from local.athena.analysis import analyse
from local.athena.duckdb_engine import DuckDbEngine
from local.athena.errors import MalformedStatementError, StatementFailedError
from local.athena.printing import print_double, print_real
from local.athena.pushdown import plan_scans
from local.athena.results import ResultSet, read_csv, write_csv
from local.athena.statements import count_parameters, fill_parameters, kind_of, parse_unload
from local.athena.tables import TableBinder
from local.athena.text import parse_query
from local.athena.translate import translate
from tests.support.athena_lake import ACME, CALENDAR, DATABASE, ask, instant, land_macro, make_lake

ATHENA = Path(__file__).parents[2] / "athena"
PREPARED = {query.name: query.sql for query in read_named_queries(ATHENA / "prepared")}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    lake = make_lake(tmp_path_factory.mktemp("lake"))
    land_macro(lake.load_table((DATABASE, "macro_series")), [*ACME, *CALENDAR])
    yield lake
    lake.close()


@pytest.fixture(scope="module")
def engine(catalog: Catalog) -> DuckDbEngine:
    return DuckDbEngine(lambda: catalog)


def translated(catalog: Catalog, text: str) -> str:
    tree = parse_query(text)
    scans = TableBinder(catalog, DATABASE, lambda _: instant("2024-01-01")).bind(tree, text)
    return translate(analyse(tree, scans, text).tree, text).replace('"', "")


@pytest.mark.parametrize(
    ("athena", "duckdb"),
    [
        ("max_by(value, (knowledge_time, revision_seq))", "ARG_MAX_NULL(m.value, (m.knowledge_time, m.revision_seq))"),
        ("revision_seq / 2", "m.revision_seq // 2"),
        ("value / 2", "m.value / 2"),
        ("sum(revision_seq) / count(*)", "SUM(m.revision_seq) // COUNT(*)"),
        ("date_trunc('day', event_time)", "DATE_TRUNC('day', m.event_time)"),
        (
            "date_diff('day', event_time, knowledge_time)",
            "DATE_SUB('day', CAST(m.event_time AS TIMESTAMP), CAST(m.knowledge_time AS TIMESTAMP))",
        ),
        ("date '2024-01-31' + interval '1' month", "CAST((CAST('2024-01-31' AS DATE) + INTERVAL '1' MONTH) AS DATE)"),
        ("from_iso8601_timestamp(op)", "DATE_TRUNC('milliseconds', CAST(TRINO_UTC_TEXT(m.op) AS TIMESTAMPTZ))"),
        ("cast(value as bigint)", "CAST(ROUND(m.value) AS BIGINT)"),
        ("approx_percentile(value, 0.5)", "QUANTILE_DISC(m.value, 0.5)"),
        (
            "lag(value) ignore nulls over (order by event_time)",
            "LAG(m.value IGNORE NULLS) OVER (ORDER BY m.event_time)",
        ),
        ("day_of_week(event_time)", "ISODOW(m.event_time)"),
        ("concat(entity, '/', op)", "m.entity || '/' || m.op"),
        (
            "hour(event_time at time zone 'America/New_York')",
            "HOUR((CAST(m.event_time AS TIMESTAMPTZ) AT TIME ZONE 'America/New_York'))",
        ),
    ],
)
def test_an_expression_becomes_duckdbs(catalog: Catalog, athena: str, duckdb: str) -> None:
    text = f"SELECT {athena} AS x FROM macro_series AS m"  # noqa: S608 - the cases above
    assert translated(catalog, text) == f"SELECT {duckdb} AS x FROM __scan_0 AS m"  # noqa: S608 - the cases above


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 7 / 2, -7 / 2, 7 % 3, 7e0 / 2, 1e0 / 0", [("3", "-3", "1", "3.5", "Infinity")]),
        ("SELECT 1.0E-5, 1e7, 123456.789e0, 0.1 + 0.2", [("1.0E-5", "1.0E7", "123456.789", "0.3")]),
        ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x", [("1",), ("2",), (None,)]),
        ("SELECT x FROM (VALUES 2, NULL, 1) AS t (x) ORDER BY x DESC", [("2",), ("1",), (None,)]),
        ("SELECT max_by(v, k), max(v) FROM (VALUES (1, 1), (NULL, 2)) AS t (v, k)", [(None, "1")]),
        ("SELECT max_by(v, (a, b)) FROM (VALUES ('x', 1, 2), ('y', 1, 3)) AS t (v, a, b)", [("y",)]),
        ("SELECT max_by(row(v, a), b)[1] FROM (VALUES ('x', 1, 2), ('y', 1, 3)) AS t (v, a, b)", [("y",)]),
        ("SELECT date_diff('day', timestamp '2024-01-01 23:00:00', timestamp '2024-01-02 01:00:00')", [("0",)]),
        ("SELECT date_diff('month', date '2024-01-31', date '2024-02-29')", [("1",)]),
        ("SELECT date '2024-01-31' + INTERVAL '1' MONTH", [("2024-02-29",)]),
        ("SELECT date_trunc('month', date '2024-01-31')", [("2024-01-01",)]),
        ("SELECT timestamp '2024-05-02 20:05:00 UTC'", [("2024-05-02 20:05:00 UTC",)]),
        ("SELECT timestamp '2024-05-02 20:05:00.120'", [("2024-05-02 20:05:00.120",)]),
        ("SELECT CAST(timestamp '2024-05-02 20:05:00 UTC' AS varchar)", [("2024-05-02 20:05:00 UTC",)]),
        ("SELECT to_iso8601(timestamp '2024-05-02 20:05:00.120 UTC')", [("2024-05-02T20:05:00.120Z",)]),
        (
            "SELECT from_iso8601_timestamp('2024-05-02T22:05:00.123456+02:00') AT TIME ZONE 'UTC'",
            [("2024-05-02 20:05:00.123 UTC",)],
        ),
        ("SELECT CAST(timestamp '2024-05-02 20:05:00.123456' AS timestamp)", [("2024-05-02 20:05:00.123",)]),
        ("SELECT CAST(2.5e0 AS bigint), CAST(-2.5e0 AS integer)", [("3", "-3")]),
        ("SELECT TRY_CAST('x' AS integer), try(CAST('1.5' AS integer)), CAST('12' AS bigint)", [(None, None, "12")]),
        ("SELECT substr('abcdef', 0), substr('abcdef', -2), substr('abcdef', 2, 3)", [("", "ef", "bcd")]),
        ("SELECT split_part('a/b', '/', 2), split_part('a/b', '/', 3)", [("b", None)]),
        ("SELECT regexp_extract('abc', 'x'), regexp_replace('aXbX', 'X', '-')", [(None, "a-b-")]),
        ("SELECT 'a' || NULL, concat('a', 'b'), trim(' a ')", [(None, "ab", "a")]),
        ("SELECT element_at(map(ARRAY['a'], ARRAY[1]), 'b'), map(ARRAY['a'], ARRAY[1])['a']", [(None, "1")]),
        ("SELECT ARRAY[1.5e0, 2], row(1, 'x')", [("[1.5, 2.0]", "{field0=1, field1=x}")]),
        ("SELECT x, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t (x, n)", [("a", "1"), ("b", "2")]),
        ("SELECT e, t FROM UNNEST(ARRAY[ROW('a', 1), ROW('b', 2)]) AS s (e, t)", [("a", "1"), ("b", "2")]),
        ("SELECT sequence(1, 3)", [("[1, 2, 3]",)]),
        ("SELECT sequence(date '2024-01-01', date '2024-01-02', INTERVAL '1' DAY)", [("[2024-01-01, 2024-01-02]",)]),
        ("SELECT greatest(1, NULL), coalesce(NULL, 2), nullif(1, 1), if(true, 'y', 'n')", [(None, "2", None, "y")]),
        ("SELECT count(*), sum(x), avg(x) FROM (VALUES 1, 2, 6) AS t (x)", [("3", "9", "3.0")]),
        ("SELECT approx_percentile(x, 0.5) FROM (VALUES 1, 2, 6) AS t (x)", [("2",)]),
        ("SELECT true, CAST(1.5 AS decimal(10, 2))", [("true", "1.50")]),
        ("SELECT day_of_week(date '2024-05-05'), extract(dow FROM date '2024-05-06')", [("7", "1")]),
        ("SELECT hour(timestamp '2024-07-01 20:00:00 UTC' AT TIME ZONE 'America/New_York')", [("16",)]),
        ("SELECT json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a.b')", [("1",)]),
        ("SELECT json_extract_scalar('{\"a\": {}}', '$.a')", [(None,)]),
    ],
)
def test_an_answer_is_what_trino_gives(engine: DuckDbEngine, query: str, rows: list[tuple[str | None, ...]]) -> None:
    assert ask(engine, query) == rows


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.vintner_laptop.nosuch'"),
        ("SELECT * FROM nosuch.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nosuch' does not exist"),
        ("SELECT x FROM macro_series", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
        ("SELECT m.x\nFROM macro_series AS m", "COLUMN_NOT_FOUND: line 1:8: Column 'm.x' cannot be resolved"),
        ("SELECT value AS v FROM macro_series WHERE v > 1", "COLUMN_NOT_FOUND: line 1:43: Column 'v' cannot"),
        ("SELECT entity FROM macro_series a, macro_series b", "AMBIGUOUS_NAME: line 1:8: Column 'entity' is ambiguous"),
        ("SELECT entity, value FROM macro_series GROUP BY entity", "EXPRESSION_NOT_AGGREGATE: line 1:16: 'value'"),
        ("SELECT nosuch(value) FROM macro_series", "FUNCTION_NOT_FOUND: line 1:15: Function 'nosuch' not registered"),
        (
            "SELECT 1 FROM macro_series WHERE event_time > '2024-01-01'",
            "TYPE_MISMATCH: line 1:34: Cannot apply operator: timestamp(6) with time zone > varchar",
        ),
        ("SELECT 1 FROM macro_series WHERE entity = 1", "TYPE_MISMATCH: line 1:34: Cannot apply operator: varchar ="),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT CAST('a' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast 'a' to BIGINT"),
        (
            "SELECT CAST('2024-01-01T00:00:00Z' AS timestamp)",
            "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp",
        ),
        ("SELECT map(ARRAY['a'], ARRAY[1])['b']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: b"),
        ("SELECT 1.5 / 2", "NOT_SUPPORTED: Division of decimals"),
        ("SELECT date '2024-01-02' - date '2024-01-01'", "NOT_SUPPORTED: Subtracting dates"),
        ("SELECT event_time AT TIME ZONE 'Asia/Tokyo' FROM macro_series", "NOT_SUPPORTED: A time in Asia/Tokyo"),
        ("SELECT rand()", "NOT_SUPPORTED: 'RAND()' (Rand)"),
        ("SELECT * FROM macro_series TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED"),
        ("SELECT * FROM read_csv('/etc/hosts')", "FUNCTION_NOT_FOUND"),
        ("SELECT from_iso8601_timestamp('2024-05-02T22:05:00+02:00')", "NOT_SUPPORTED: A time of another zone"),
        ("SELECT hour(timestamp '2024-05-02 22:05:00 Asia/Tokyo')", "NOT_SUPPORTED: A time in Asia/Tokyo"),
        ("SELECT string_agg(entity, ',') FROM macro_series", "FUNCTION_NOT_FOUND"),
        ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND"),
        (
            "SELECT 1 FROM macro_series FOR VERSION AS OF 'nosuch'",
            "INVALID_ARGUMENTS: line 1:15: Cannot find snapshot with reference name: nosuch",
        ),
        (
            "SELECT 1 FROM macro_series FOR TIMESTAMP AS OF timestamp '2001-01-01 00:00:00 UTC'",
            "INVALID_ARGUMENTS: line 1:15: No version history table vintner_laptop.macro_series at or before 2001-",
        ),
    ],
)
def test_what_cannot_be_answered_says_so(engine: DuckDbEngine, query: str, reason: str) -> None:
    with pytest.raises(StatementFailedError) as caught:
        ask(engine, query)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT a,, b FROM t", "line 1:10: mismatched input ','"),
        ("SELECT FROM t", "line 1:8: mismatched input 'FROM'"),
        ("SELECT 1\nFROM t WHERE", "line 2:8: mismatched input 'WHERE'"),
        ("SELECT a::bigint FROM t", "line 1:9: mismatched input '::'"),
        ("SELECT 1; SELECT 2", "line 1:9: Only one sql statement is allowed"),
        ("SELECT 'a", "line 1:10: mismatched input '<EOF>'"),
    ],
)
def test_what_does_not_parse_is_placed(engine: DuckDbEngine, query: str, place: str) -> None:
    with pytest.raises(MalformedStatementError) as caught:
        engine.check(Statement(text=query, kind=kind_of(query)))
    assert str(caught.value).startswith(place)


def text_of(moment: str) -> str:
    return f"'{moment} UTC'" if ":" in moment else f"'{moment} 00:00:00 UTC'"


@pytest.mark.parametrize(
    ("known_at", "event_cut", "value"),
    [
        ("2024-05-02 20:04:00", "2024-05-02 20:04:00", None),
        ("2024-05-02 20:05:00", "2024-05-02 20:05:00", "2.0"),
        ("2024-08-25", "2024-08-25", "2.3"),
        ("2024-08-25", "2024-06-15", "1.8"),
        ("2024-08-10", "2024-06-15", "2.0"),
        ("2024-09-11", "2024-09-11", "1.8"),
        ("2024-09-13", "2024-09-13", "2.25"),
    ],
)
def test_as_of_answers_the_worked_example(
    engine: DuckDbEngine, known_at: str, event_cut: str, value: str | None
) -> None:
    rows = ask(engine, PREPARED["as_of"], "'ACME'", text_of(known_at), text_of(event_cut))
    assert [row[-1] for row in rows] == ([] if value is None else [value])


@pytest.mark.parametrize(
    ("event", "known_at", "value"),
    [
        ("2024-03-31", "2024-08-10", "2.0"),
        ("2024-06-30", "2024-09-11", None),
        ("2024-06-30", "2024-09-12 09:00:00", "2.25"),
    ],
)
def test_exact_answers_the_worked_example(engine: DuckDbEngine, event: str, known_at: str, value: str | None) -> None:
    rows = ask(engine, PREPARED["exact"], "'ACME'", text_of(event), text_of(known_at))
    assert [row[-1] for row in rows] == ([] if value is None else [value])


@pytest.mark.parametrize(("days", "found"), [("30", False), ("74", False), ("75", True), ("76", True)])
def test_a_time_to_live_expires_after_its_last_instant(engine: DuckDbEngine, days: str, found: bool) -> None:
    now = text_of("2024-09-13")
    rows = ask(engine, PREPARED["as_of_replay"], "'ACME'", now, now, now, days, now)
    assert [row[-1] for row in rows] == (["2.25"] if found else [])


def test_a_replay_sees_only_what_had_been_ingested(engine: DuckDbEngine) -> None:
    now, then = text_of("2024-09-13"), text_of("2024-09-11")
    rows = ask(engine, PREPARED["as_of_replay"], "'ACME'", now, then, now, "1000", now)
    assert [row[-1] for row in rows] == ["1.8"]


@pytest.mark.parametrize(
    ("at", "event"),
    [("2024-10-02", "2024-10-30 00:00:00.000000 UTC"), ("2024-10-16", "2024-11-06 00:00:00.000000 UTC")],
)
def test_a_moved_event_leaves_no_ghost(engine: DuckDbEngine, at: str, event: str) -> None:
    rows = ask(engine, PREPARED["next_event"], "'CALL'", text_of(at), text_of(at))
    assert [row[1] for row in rows] == [event]
    assert ask(engine, PREPARED["as_of"], "'CALL'", text_of(at), text_of(at)) == []


def test_a_vintage_is_the_series_as_known(engine: DuckDbEngine) -> None:
    values = [
        [row[-1] for row in ask(engine, PREPARED["vintage"], "'ACME'", text_of(known_at))]
        for known_at in ("2024-05-01", "2024-08-10", "2024-09-11", "2024-09-13")
    ]
    assert values == [[], ["2.0", "2.3"], ["1.8"], ["1.8", "2.25"]]


def test_history_has_every_version_in_knowledge_order(engine: DuckDbEngine) -> None:
    rows = ask(engine, PREPARED["history"], "'ACME'", text_of("2024-06-30"))
    assert [row[3:6] for row in rows] == [("0", "upsert", "2.3"), ("1", "delete", None), ("2", "upsert", "2.25")]


@pytest.mark.parametrize("query", read_named_queries(ATHENA / "named_queries"), ids=lambda query: query.name)
def test_every_named_query_runs(engine: DuckDbEngine, query: NamedQuery) -> None:
    parameters = ["'ACME'", "'2024-08-25'", "'00:00:00'"][: count_parameters(query.sql)]
    ask(engine, query.sql, *parameters)


def test_parameters_are_constants_and_their_number_is_right() -> None:
    assert fill_parameters("SELECT '?' || ? -- ?\n, ?", ["'a'", "1 + 1"]) == "SELECT '?' || 'a' -- ?\n, (1 + 1)"
    for values in (["'a'"], ["'a'", "entity"], ["'a'", "(SELECT 1)"]):
        with pytest.raises(StatementFailedError) as caught:
            fill_parameters("SELECT ?, ?", values)
        assert caught.value.data["code"] == "INVALID_PARAMETER_USAGE"


def test_a_scan_delivers_only_what_is_needed(catalog: Catalog) -> None:
    text = (
        "SELECT max(m.value) FROM macro_series AS m WHERE m.entity IN ('ACME', 'CALL') AND (1 = 1 OR m.op = 'x') "
        "AND m.knowledge_time <= timestamp '2024-08-10 00:00:00 UTC' AND m.value > 1"
    )
    tree = parse_query(text)
    scans = TableBinder(catalog, DATABASE, lambda _: instant("2024-01-01")).bind(tree, text)
    wanted = plan_scans(analyse(tree, scans, text).tree, scans)["__scan_0"]
    assert set(wanted.columns) == {"entity", "op", "knowledge_time", "value"}
    make: Any = expressions  # its constructors are typed for bound terms only
    entity = make.Or(make.EqualTo("entity", "ACME"), make.EqualTo("entity", "CALL"))
    assert wanted.row_filter == make.And(entity, make.LessThanOrEqual("knowledge_time", instant("2024-08-10")))


def test_an_unload_is_taken_apart() -> None:
    unload = parse_unload("UNLOAD (SELECT ')' AS a) TO 's3://b/x' WITH (format='PARQUET'  , compression='snappy')")
    assert (unload.query, unload.location) == ("SELECT ')' AS a", "s3://b/x")
    assert unload.options == {"format": "PARQUET", "compression": "snappy"}


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e-3)
@example(9999999.999999998)
@example(1e7)
@example(5e-324)
def test_a_double_prints_as_java_does(value: float) -> None:
    text = print_double(value)
    assert float(text) == value
    mantissa, _, exponent = text.partition("E")
    assert "." in mantissa
    assert bool(exponent) == (value != 0 and not 1e-3 <= abs(value) < 1e7)
    if exponent:
        assert 1 <= abs(float(mantissa)) < 10


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_prints_with_the_digits_of_32_bits(value: float) -> None:
    digits = print_real(value).partition("E")[0].replace(".", "").strip("-0")
    assert len(digits) <= 9


@given(st.lists(st.lists(st.none() | st.text(), min_size=2, max_size=2)))
def test_a_result_file_reads_back(rows: list[list[str | None]]) -> None:
    assert read_csv(write_csv(ResultSet((), rows, has_header=False))) == rows


def test_a_cancelled_query_does_not_run(engine: DuckDbEngine) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Exception, match="cancelled"):
        engine.run(Statement(text="SELECT 1", kind=StatementKind.QUERY), cancellation)
