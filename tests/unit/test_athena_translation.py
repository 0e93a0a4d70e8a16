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
from tests.support.athena_cases import ANSWERS, EXPRESSIONS, REFUSALS, UNPARSABLE
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


@pytest.mark.parametrize(("athena", "duckdb"), EXPRESSIONS)
def test_an_expression_becomes_duckdbs(catalog: Catalog, athena: str, duckdb: str) -> None:
    text = f"SELECT {athena} AS x FROM macro_series AS m"  # noqa: S608 - the cases above
    assert translated(catalog, text) == f"SELECT {duckdb} AS x FROM __scan_0 AS m"  # noqa: S608 - the cases above


@pytest.mark.parametrize(("query", "rows"), ANSWERS)
def test_an_answer_is_what_trino_gives(engine: DuckDbEngine, query: str, rows: list[tuple[str | None, ...]]) -> None:
    assert ask(engine, query) == rows


@pytest.mark.parametrize(("query", "reason"), REFUSALS)
def test_what_cannot_be_answered_says_so(engine: DuckDbEngine, query: str, reason: str) -> None:
    with pytest.raises(StatementFailedError) as caught:
        ask(engine, query)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(("query", "place"), UNPARSABLE)
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
