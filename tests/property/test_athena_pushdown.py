"""What an Iceberg scan leaves out must never change an answer.

The same condition is asked twice: over the table, where it may reach the scan, and over a subquery of the whole
table, where it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.athena.duckdb_engine import DuckDbEngine
from tests.support.athena_lake import ACME, CALENDAR, DATABASE, ask, land_macro, make_lake


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbEngine]:
    lake = make_lake(tmp_path_factory.mktemp("lake"))
    table = lake.load_table((DATABASE, "macro_series"))
    for facts in (ACME, CALENDAR, [("NAN", "2024-03-31", "2024-05-02", 0, "upsert", float("nan"))]):
        land_macro(table, facts)
    yield DuckDbEngine(lambda: lake)
    lake.close()


moments = st.sampled_from(
    [
        "timestamp '2024-05-02 20:05:00 UTC'",
        "timestamp '2024-08-20 12:00:00.000000 UTC'",
        "timestamp '2024-08-20 12:00:00'",
        "timestamp '2024-08-20 14:00:00 Europe/Berlin'",
        "CAST('2024-08-20 12:00:00.0004 UTC' AS timestamp with time zone)",
        "date '2024-08-20'",
        "CAST('2024-09-12 09:00:00 UTC' AS timestamp(6) with time zone)",
    ]
)
operators = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
columns = {
    "entity": st.sampled_from(["'ACME'", "'CALL'", "'Z'", "lower('ACME')"]),
    "knowledge_time": moments,
    "event_time": moments,
    "revision_seq": st.sampled_from(["0", "1", "-1", "1.0", "1e0"]),
    "value": st.sampled_from(["2.0", "2e0", "0", "1e0 / 0"]),
}


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    column = draw(st.sampled_from(sorted(columns)))
    literal = columns[column]
    match draw(st.sampled_from(["compare", "mirror", "between", "in"])):
        case "compare":
            return f"m.{column} {draw(operators)} {draw(literal)}"
        case "mirror":
            return f"{draw(literal)} {draw(operators)} m.{column}"
        case "between":
            return f"m.{column} BETWEEN {draw(literal)} AND {draw(literal)}"
        case _:
            return f"m.{column} IN ({draw(literal)}, {draw(literal)})"


conditions = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda condition: f"NOT ({condition})"),
    ),
    max_leaves=4,
)
joins = st.sampled_from(
    [
        "",
        " INNER JOIN macro_series AS o ON o.entity = m.entity AND o.revision_seq = 0",
        " LEFT JOIN macro_series AS o ON o.event_time = m.knowledge_time",
        " CROSS JOIN (VALUES 1, 2) AS v (n)",
    ]
)


@settings(max_examples=60)
@given(condition=conditions, join=joins)
def test_what_a_scan_leaves_out_changes_no_answer(engine: DuckDbEngine, condition: str, join: str) -> None:
    selected = "SELECT m.entity, m.event_time, m.knowledge_time, m.revision_seq, m.value FROM"
    ordered = f"{join} WHERE {condition} ORDER BY 1, 2, 3, 4"
    over_the_table = ask(engine, f"{selected} macro_series AS m{ordered}")
    over_everything = ask(engine, f"{selected} (SELECT * FROM macro_series) AS m{ordered}")  # noqa: S608 - made above
    assert over_the_table == over_everything
