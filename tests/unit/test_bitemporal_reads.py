"""The worked examples of the point-in-time reads, and what they refuse."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

import vintner.bitemporal
from vintner.bitemporal import (
    FactSource,
    FactSourceError,
    FactTableError,
    NaiveTimeError,
    NegativeSpanError,
    SpineTableError,
    VersionConflictError,
    as_of,
    as_of_join,
    audit_leaks,
    exact,
    fact_schema,
    history,
    next_event,
    vintage,
)

NAIVE = datetime(2024, 5, 2)  # noqa: DTZ001 - naive on purpose
EPS = fact_schema(pa.schema([("eps", pa.float64())]))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def eps_row(event: str, known: str, seq: int, op: str, eps: float | None) -> dict[str, Any]:
    return {
        "entity": "ACME",
        "event_time": at(event),
        "knowledge_time": at(known),
        "revision_seq": seq,
        "op": op,
        "ingested_at": at(known),
        "eps": eps,
    }


ROWS = [
    eps_row("2024-03-31", "2024-05-02 20:05", 0, "upsert", 2.00),
    eps_row("2024-06-30", "2024-08-01 20:05", 0, "upsert", 2.30),
    eps_row("2024-03-31", "2024-08-20 12:00", 1, "upsert", 1.80),
    eps_row("2024-06-30", "2024-09-10 09:00", 1, "delete", None),
    eps_row("2024-06-30", "2024-09-12 09:00", 2, "upsert", 2.25),
]
FACTS = pa.Table.from_pylist(ROWS, schema=EPS)

LATEST = [
    ("2024-05-02 20:04", None, None, None, "not yet published"),
    ("2024-05-02 20:05", None, None, 2.00, "inclusive"),
    ("2024-08-25", None, None, 2.30, "row 3 is newer knowledge about an older quarter"),
    ("2024-06-15", "2024-08-25", None, 1.80, "event cut excludes Q2; Q1 as restated"),
    ("2024-06-15", "2024-08-10", None, 2.00, "restatement not yet known"),
    ("2024-09-11", None, None, 1.80, "Q2 deleted, falls back to Q1 as restated"),
    ("2024-09-13", None, None, 2.25, "reinstated"),
    ("2024-09-13", None, timedelta(days=30), None, "2024-06-30 is 75 days old"),
    ("2024-09-13", None, timedelta(days=75), 2.25, "age equal to ttl is still valid"),
]


@pytest.mark.parametrize(("event_cut", "known", "ttl", "answer", "why"), LATEST)
def test_latest(event_cut: str, known: str | None, ttl: timedelta | None, answer: float | None, why: str) -> None:
    known_at = None if known is None else at(known)
    found = as_of(FACTS, at=at(event_cut), known_at=known_at, ttl=ttl)
    assert found["eps"].to_pylist() == ([] if answer is None else [answer]), why


@pytest.mark.parametrize(("event_cut", "known", "ttl", "answer", "why"), LATEST)
def test_join_answers_as_latest(
    event_cut: str, known: str | None, ttl: timedelta | None, answer: float | None, why: str
) -> None:
    spine = pa.table({"entity": ["ACME"], "time": [at(event_cut)]})
    source = FactSource(facts=FACTS, columns={"eps": "eps"}, ttl=ttl)
    joined = as_of_join(spine, [source], known_at=None if known is None else at(known))
    assert joined["eps"].to_pylist() == [answer], why


@pytest.mark.parametrize(
    ("event", "known", "answer"), [("2024-03-31", "2024-08-10", [2.00]), ("2024-06-30", "2024-09-11", [])]
)
def test_exact(event: str, known: str, answer: list[float]) -> None:
    assert exact(FACTS, event_time=at(event), known_at=at(known))["eps"].to_pylist() == answer


def test_history_shows_every_version_in_knowledge_order() -> None:
    versions = history(FACTS, entity="ACME", event_time=at("2024-06-30"))
    assert versions["op"].to_pylist() == ["upsert", "delete", "upsert"]
    assert versions["eps"].to_pylist() == [2.30, None, 2.25]


def test_vintage_is_the_whole_table_as_known() -> None:
    assert vintage(FACTS, known_at=at("2024-08-10"))["eps"].to_pylist() == [2.00, 2.30]
    assert vintage(FACTS, known_at=at("2024-09-11"))["eps"].to_pylist() == [1.80]


def test_system_cut_hides_what_was_written_later() -> None:
    backfilled = {**ROWS[2], "ingested_at": at("2024-12-01")}
    facts = pa.Table.from_pylist([ROWS[0], backfilled], schema=EPS)
    cut = at("2024-09-01")
    assert as_of(facts, at=cut)["eps"].to_pylist() == [1.80]
    assert as_of(facts, at=cut, system_at=at("2024-11-30"))["eps"].to_pylist() == [2.00]


def test_delay_moves_the_knowledge_cut_and_not_the_event_cut() -> None:
    published = at("2024-05-02 20:05")
    delay = timedelta(minutes=15)
    assert as_of(FACTS, at=published, delay=delay).num_rows == 0
    assert as_of(FACTS, at=published + delay, delay=delay)["eps"].to_pylist() == [2.00]


CALENDAR = pa.Table.from_pylist(
    [
        {**eps_row("2024-10-30", "2024-10-01", 0, "upsert", None), "call": "Q3 call"},
        {**eps_row("2024-10-30", "2024-10-15", 1, "delete", None), "call": None},
        {**eps_row("2024-11-06", "2024-10-15", 0, "upsert", None), "call": "Q3 call"},
    ],
    schema=fact_schema(pa.schema([("call", pa.string())])),
)


@pytest.mark.parametrize(("now", "call"), [("2024-10-02", "2024-10-30"), ("2024-10-16", "2024-11-06")])
def test_calendar_knows_the_next_event_and_has_no_latest(now: str, call: str) -> None:
    assert next_event(CALENDAR, after=at(now), known_at=at(now))["event_time"].to_pylist() == [at(call)]
    assert as_of(CALENDAR, at=at(now)).num_rows == 0
    spine = pa.table({"entity": ["ACME"], "time": [at(now)]})
    assert as_of_join(spine, [FactSource(facts=CALENDAR, columns={"call": "call"})])["call"].to_pylist() == [None]


def test_a_moved_event_leaves_no_ghost() -> None:
    spine = pa.table({"entity": ["ACME"] * 3, "time": [at("2024-10-30"), at("2024-11-05"), at("2024-11-06")]})
    joined = as_of_join(spine, [FactSource(facts=CALENDAR, columns={"call": "call"})])
    assert joined["call"].to_pylist() == [None, None, "Q3 call"]


def test_a_null_inside_a_fact_is_an_answer() -> None:
    facts = pa.Table.from_pylist([ROWS[0], {**ROWS[1], "eps": None}], schema=EPS)
    spine = pa.table({"entity": ["ACME"], "time": [at("2024-08-25")]})
    source = FactSource(facts=facts, columns={"eps": "eps", "of": "event_time"})
    assert as_of_join(spine, [source]).to_pylist()[0]["of"] == at("2024-06-30")
    assert as_of_join(spine, [source])["eps"].to_pylist() == [None]


def test_join_keeps_the_spine_and_the_types() -> None:
    spine = pa.table({"time": [at("2024-08-25")] * 2, "entity": ["ACME"] * 2, "weight": [1, 1]})
    joined = as_of_join(spine, [FactSource(facts=FACTS, columns={"x": "eps", "op_then": "op"})])
    assert joined.select(spine.column_names).equals(spine)
    assert joined.schema.field("x").type == pa.float64()
    empty = as_of_join(spine.slice(0, 0), [FactSource(facts=FACTS, columns={"x": "eps"})])
    assert empty.schema.names == ["time", "entity", "weight", "x"]
    nothing = as_of_join(spine, [FactSource(facts=EPS.empty_table(), columns={"x": "eps"})])
    assert nothing["x"].to_pylist() == [None, None]


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_entities_may_be_of_any_string_type(text: pa.DataType) -> None:
    facts = FACTS.set_column(0, "entity", FACTS["entity"].cast(pa.string()).cast(text))
    assert as_of(facts, at=at("2024-08-25"))["eps"].to_pylist() == [2.30]
    spine = pa.table({"entity": pa.array(["ACME"]).cast(text), "time": [at("2024-08-25")]})
    assert as_of_join(spine, [FactSource(facts=facts, columns={"x": "eps"})])["x"].to_pylist() == [2.30]


def test_values_of_any_type_are_joined_and_audited() -> None:
    types = {
        "flag": (pa.bool_(), True),
        "small": (pa.float32(), 0.1),
        "half": (pa.float16(), 0.5),
        "money": (pa.decimal128(20, 4), None),
        "raw": (pa.binary(), b"\xff\x00"),
        "day": (pa.date32(), at("2024-01-01").date()),
        "when": (pa.timestamp("ns"), datetime(2024, 1, 1)),  # noqa: DTZ001 - a value may be without a zone
        "list": (pa.list_(pa.float64()), [1.0, float("nan"), None]),
        "pair": (pa.struct([("a", pa.int8())]), {"a": 1}),
    }
    schema = fact_schema(pa.schema([(name, kind) for name, (kind, _) in types.items()]))
    row = {**ROWS[0], **{name: value for name, (_, value) in types.items()}}
    facts = pa.Table.from_pylist([row, row], schema=schema)  # a repeated delivery, so values are compared too
    source = FactSource(facts=facts, columns={name: name for name in types})
    joined = as_of_join(pa.table({"entity": ["ACME"], "time": [at("2024-08-25")]}), [source])
    assert repr(joined.select(list(types)).to_pylist()) == repr(facts.select(list(types)).slice(0, 1).to_pylist())
    assert audit_leaks(joined, [source]).clean
    emptied = pa.table(
        [*joined.select(["entity", "time"]).columns, *(pa.nulls(1, kind) for kind, _ in types.values())],
        names=joined.column_names,
    )
    assert audit_leaks(emptied, [source]).findings["column"].to_pylist() == [name for name in types if name != "money"]


@pytest.mark.parametrize(
    "read",
    [
        lambda: as_of(FACTS, at=NAIVE),
        lambda: as_of(FACTS, at=at("2024-05-02"), known_at=NAIVE),
        lambda: as_of(FACTS, at=at("2024-05-02"), system_at=NAIVE),
        lambda: exact(FACTS, event_time=NAIVE, known_at=at("2024-05-02")),
        lambda: exact(FACTS, event_time=at("2024-05-02"), known_at=NAIVE),
        lambda: next_event(FACTS, after=NAIVE, known_at=at("2024-05-02")),
        lambda: history(FACTS, entity="ACME", event_time=NAIVE),
        lambda: vintage(FACTS, known_at=NAIVE),
        lambda: as_of_join(pa.table({"entity": ["ACME"], "time": [NAIVE]}), []),
        lambda: as_of_join(pa.table({"entity": ["ACME"], "time": [at("2024-05-02")]}), [], known_at=NAIVE),
        lambda: vintage(FACTS.set_column(1, "event_time", [[NAIVE] * 5]), known_at=at("2024-05-02")),
    ],
)
def test_naive_times_are_refused(read: Any) -> None:
    with pytest.raises(NaiveTimeError):
        read()


def test_negative_spans_are_refused() -> None:
    with pytest.raises(NegativeSpanError):
        as_of(FACTS, at=at("2024-05-02"), delay=timedelta(seconds=-1))
    with pytest.raises(NegativeSpanError):
        FactSource(facts=FACTS, columns={}, ttl=timedelta(seconds=-1))


def test_a_repeated_delivery_is_one_version() -> None:
    schema = EPS.append(pa.field("record_id", pa.string()))
    first = {**ROWS[0], "record_id": "a"}
    again = {**first, "record_id": "b", "ingested_at": at("2024-06-01")}
    versions = history(pa.Table.from_pylist([again, first], schema=schema), entity="ACME", event_time=at("2024-03-31"))
    assert versions["record_id"].to_pylist() == ["a"]


@pytest.mark.parametrize("change", [{"eps": 2.01}, {"eps": None}, {"op": "delete"}])
def test_a_version_stated_twice_differently_is_refused(change: dict[str, Any]) -> None:
    facts = pa.Table.from_pylist([*ROWS, {**ROWS[1], **change}], schema=EPS)
    with pytest.raises(VersionConflictError) as refused:
        as_of(facts, at=at("2024-08-25"))
    assert refused.value.data == {
        "entity": "ACME",
        "event_time": ROWS[1]["event_time"],
        "knowledge_time": ROWS[1]["knowledge_time"],
        "revision_seq": 0,
        "column": next(iter(change)),
    }
    assert as_of(facts, at=at("2024-07-01"))["eps"].to_pylist() == [2.00], "not known yet, so no harm yet"


@pytest.mark.parametrize(
    ("facts", "column"),
    [
        (FACTS.drop_columns(["op"]), "op"),
        (FACTS.append_column("entity", [["x"] * 5]), "entity"),
        (FACTS.set_column(3, "revision_seq", [[0, 1, None, 1, 2]]), "revision_seq"),
        (FACTS.set_column(3, "revision_seq", [["0"] * 5]), "revision_seq"),
        (FACTS.set_column(4, "op", [["insert"] + ["upsert"] * 4]), "op"),
        (FACTS.set_column(1, "event_time", [[1] * 5]), "event_time"),
        (FACTS.set_column(1, "event_time", [pa.array([1] * 5, pa.timestamp("ns", "UTC"))]), "event_time"),
    ],
)
def test_a_table_that_is_not_of_facts_is_refused(facts: pa.Table, column: str) -> None:
    for read in (
        lambda: vintage(facts, known_at=at("2024-08-25")),
        lambda: exact(facts, event_time=at("2024-03-31"), known_at=at("2024-08-25")),
        lambda: history(facts, entity="ACME", event_time=at("2024-03-31")),
    ):
        with pytest.raises(FactTableError) as refused:
            read()
        assert refused.value.column == column


def test_a_spine_that_cannot_be_joined_is_refused() -> None:
    source = FactSource(facts=FACTS, columns={"x": "eps"})
    for spine in (
        pa.table({"entity": ["ACME"]}),
        pa.table({"time": [at("2024-08-25")]}),
        pa.table({"entity": ["ACME"], "time": [1]}),
        pa.table({"entity": ["ACME"], "time": pa.array([None], EPS.field("event_time").type)}),
    ):
        with pytest.raises(SpineTableError):
            as_of_join(spine, [source])
    with pytest.raises(FactSourceError):
        as_of_join(pa.table({"entity": ["ACME"], "time": [at("2024-08-25")]}), [source, source])
    with pytest.raises(FactSourceError):
        FactSource(facts=FACTS, columns={"x": "sales"})


def test_audit_tells_each_leaked_cell() -> None:
    table = pa.table(
        {
            "entity": ["ACME"] * 4,
            "time": [at("2024-03-31"), at("2024-08-25"), at("2024-08-10"), at("2024-09-11")],
            "eps": [2.00, 2.30, 1.80, 7.0],
        }
    )
    report = audit_leaks(table, [FactSource(facts=FACTS, columns={"eps": "eps"})])
    assert (report.cells, report.clean) == (4, False)
    assert report.findings.select(["time", "value", "expected", "known_at", "lead"]).to_pylist() == [
        {
            "time": at("2024-03-31"),
            "value": "2",
            "expected": None,
            "known_at": at("2024-05-02 20:05"),
            "lead": at("2024-05-02 20:05") - at("2024-03-31"),
        },
        {
            "time": at("2024-08-10"),
            "value": "1.8",
            "expected": "2.3",
            "known_at": at("2024-08-20 12:00"),
            "lead": at("2024-08-20 12:00") - at("2024-08-10"),
        },
        {"time": at("2024-09-11"), "value": "7", "expected": "1.8", "known_at": None, "lead": None},
    ]
    first, restated = "first known 2024-05-02T20:05:00+00:00", "first known 2024-08-20T12:00:00+00:00"
    assert str(report).splitlines() == [
        "4 cells compared: 3 do not hold what was known at their time.",
        f"  ACME 2024-03-31T00:00:00+00:00 eps: holds 2, known was null; {first}, 32 days, 20:05:00 after",
        f"  ACME 2024-08-10T00:00:00+00:00 eps: holds 1.8, known was 2.3; {restated}, 10 days, 12:00:00 after",
        "  ACME 2024-09-11T00:00:00+00:00 eps: holds 7, known was 1.8; never known",
    ]


def test_audit_does_not_take_a_tombstone_for_the_statement_of_a_null() -> None:
    table = pa.table({"entity": ["ACME"], "time": [at("2024-09-13")], "eps": pa.array([None], pa.float64())})
    report = audit_leaks(table, [FactSource(facts=FACTS, columns={"eps": "eps"})])
    assert report.findings.select(["value", "expected", "known_at"]).to_pylist() == [
        {"value": None, "expected": "2.25", "known_at": None}
    ]


def test_audit_refuses_a_table_without_its_columns() -> None:
    source = FactSource(facts=FACTS, columns={"eps": "eps"})
    spine = {"entity": ["ACME"], "time": [at("2024-08-25")]}
    for table in (pa.table(spine), pa.table({**spine, "eps": ["much"]})):
        with pytest.raises(SpineTableError) as refused:
            audit_leaks(table, [source])
        assert refused.value.column == "eps"


MODULES = [module.name for module in pkgutil.iter_modules(vintner.bitemporal.__path__, "vintner.bitemporal.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_documentation_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
