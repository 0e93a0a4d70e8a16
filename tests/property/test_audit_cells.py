"""The leak audit of long tables against its slow twin: every cell on its own, by lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.property import oracle
from tests.property.oracle import Row, Source
from tests.property.strategies import (
    ENTITIES,
    fact_rows,
    fact_source,
    fact_table,
    instant,
    instants,
    labels,
    plain,
    spans,
    usual_instants,
    values,
)
from vintner.bitemporal import (
    INSTANT,
    FactSource,
    FactSourceError,
    SpineTableError,
    as_of_join,
    audit_cells,
    audit_leaks,
)

COLUMNS = {"numbers": "value", "words": "label", "dates": "knowledge_time"}


@st.composite
def long_tables(draw: st.DrawFn) -> tuple[dict[str, Source], list[Row], Any, Any]:
    """Sources, rows of a long table, each with a cell of one of them and maybe cuts of its own, and global cuts."""
    sources = {
        name: Source(
            rows=draw(fact_rows()),
            columns={name: column},
            ttl=draw(st.sampled_from((None, None, None, 0, 2, 2**50))),
            delay=draw(st.sampled_from((0, 0, 0, 1, 10**18 * 80))),
        )
        for name, column in COLUMNS.items()
    }
    known, system = draw(st.none() | usual_instants | st.just("K")), draw(st.none() | usual_instants | st.just("S"))
    row = st.fixed_dictionaries(
        {
            "time": instants,
            "entity": st.sampled_from((*ENTITIES, *ENTITIES, "unknown", None)),
            "source": st.sampled_from(list(COLUMNS)),
            "K": st.none() | instants,
            "S": st.none() | instants,
        }
    )
    rows: list[Row] = draw(st.lists(row, max_size=14))
    for one in rows:
        truth = oracle.as_of_join([one], [sources[one["source"]]], known, system)[0][one["source"]]
        made_up = {"numbers": values, "words": labels, "dates": st.none() | usual_instants}[one["source"]]
        ahead = oracle.as_of_join([one], [sources[one["source"]]], 2**50)[0][one["source"]]
        one["truth"] = truth
        said = [fact[COLUMNS[one["source"]]] for fact in sources[one["source"]].rows if fact["entity"] == one["entity"]]
        other = st.sampled_from(said) if said else made_up
        one["value"] = draw(st.just(truth) | st.just(ahead) | other | made_up)
    return sources, rows, known, system


def long_table(rows: list[Row]) -> pa.Table:
    columns = {name: pa.array([row[name] for row in rows], pa.int64()).cast(INSTANT) for name in ("time", "K", "S")}
    columns |= {name: pa.array([row[name] for row in rows], pa.string()) for name in ("entity", "source")}
    return pa.table(columns | {"value": pa.array([text(row) for row in rows], pa.string())})


def text(row: Row) -> str | None:
    if row["value"] is None or row["source"] == "words":
        word: str | None = row["value"]
        return word
    return instant(row["value"]).isoformat() if row["source"] == "dates" else repr(row["value"])


def slow(sources: Mapping[str, Source], rows: list[Row], known: Any, system: Any) -> list[Row]:
    found = []
    for position, row in enumerate(rows):
        if repr(row["value"]) == repr(row["truth"]):
            continue
        source = sources[row["source"]]
        cut_known, cut_system = oracle.cuts_of(row, source.delay, known, system)
        saying = [
            fact
            for fact in source.rows
            if fact["entity"] == row["entity"] is not None
            and fact["op"] == "upsert"
            and repr(fact[COLUMNS[row["source"]]]) == repr(row["value"])
        ]
        by_then = [
            fact
            for fact in saying
            if fact["knowledge_time"] <= cut_known and (cut_system is None or fact["ingested_at"] <= cut_system)
        ]
        nowhere = "missing" if row["value"] is None else "unstated"
        verdict = "stale" if by_then else "ahead" if saying else nowhere
        first = min((fact["knowledge_time"] for fact in saying), default=None)
        found.append({"position": position, "column": row["source"], "verdict": verdict, "known_at": first})
        event(verdict)
    return found


@settings(max_examples=80)
@given(given_table=long_tables())
def test_audit_of_a_long_table_is_its_slow_twins(given_table: tuple[dict[str, Source], list[Row], Any, Any]) -> None:
    sources, rows, known, system = given_table
    facts = {name: fact_source(source) for name, source in sources.items()}
    cuts: dict[str, Any] = {
        name: instant(cut) if isinstance(cut, int) else cut
        for name, cut in (("known_at", known), ("system_at", system))
    }
    report = audit_cells(long_table(rows), facts, **cuts)
    expected = slow(sources, rows, known, system)
    assert plain(report.findings.select(["position", "column", "verdict", "known_at"])) == expected
    assert report.cells == len(rows)
    leaks = [row["position"] for row in expected if row["verdict"] in ("ahead", "unstated")]
    assert report.leaks["position"].to_pylist() == leaks


@settings(max_examples=30)
@given(given_table=long_tables())
def test_wide_and_long_find_the_same(given_table: tuple[dict[str, Source], list[Row], Any, Any]) -> None:
    sources, rows, _, _ = given_table
    numbers = fact_source(sources["numbers"])
    of_numbers = [row for row in rows if row["source"] == "numbers"]
    table = long_table(of_numbers)
    wide = table.drop_columns(["source", "value"])
    wide = wide.append_column("numbers", pa.array([row["value"] for row in of_numbers], pa.float64()))
    assert audit_leaks(wide, [numbers]).findings.equals(audit_cells(table, {"numbers": numbers}).findings)


@settings(max_examples=30)
@given(rows=fact_rows(), times=st.lists(instants, max_size=8), ttl=st.none() | spans)
def test_a_made_up_reason_is_found(rows: list[Row], times: list[int], ttl: int | None) -> None:
    age = None if ttl is None else timedelta(microseconds=ttl)
    source = FactSource(facts=fact_table(rows), columns={"value": "value"}, reason="why", ttl=age)
    spine = pa.table({"entity": ["ACME"] * len(times), "time": pa.array(times, pa.int64()).cast(INSTANT)})
    table = as_of_join(spine, [source])
    assert audit_leaks(table, [source]).clean
    lied = table.set_column(3, "why", pa.array(["lost"] * len(times), pa.string()))
    findings = audit_leaks(lied, [source]).findings
    assert findings["position"].to_pylist() == list(range(len(times)))
    assert set(findings["verdict"].to_pylist()) <= {"reason"}


def cell(**changes: Any) -> pa.Table:
    row = {"entity": "ACME", "time": instant(1), "value": "1.0", "source": "numbers"} | changes
    return pa.table({name: [value] for name, value in row.items()})


NUMBERS = FactSource(facts=fact_table([]), columns={"numbers": "value"})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (cell(source="rumours"), "source"),
        (cell(source=None), "source"),
        (cell(value="a lot"), "numbers"),
        (cell().drop_columns(["value"]), "value"),
        (cell().drop_columns(["entity"]), "entity"),
    ],
)
def test_what_cannot_be_audited_is_named(table: pa.Table, column: str) -> None:
    with pytest.raises(SpineTableError) as refused:
        audit_cells(table, {"numbers": NUMBERS})
    assert refused.value.column == column


def test_a_source_has_one_column() -> None:
    two = FactSource(facts=fact_table([]), columns={"numbers": "value", "words": "label"})
    with pytest.raises(FactSourceError):
        audit_cells(cell(), {"numbers": two})
