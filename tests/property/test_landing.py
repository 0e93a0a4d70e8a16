"""Landing against a dictionary: whatever is sent, in whatever batches, however often a writer is cut off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS, SWITCH, Crash, FaultyCatalog, open_faulty_catalog
from tests.support.judging import statement, version_key
from vintner.lake import CommitUnknownError, Judgement, Ledger, ensure_database, land_facts, load_table, migrate
from vintner.marketdata import MACRO_SERIES

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATABASE = "facts"


@pytest.fixture(scope="module")
def catalog() -> Iterator[FaultyCatalog]:
    with tempfile.TemporaryDirectory() as folder:
        SWITCH.arm(None, KINDS[0])
        catalog = open_faulty_catalog(Path(folder))
        ensure_database(catalog, DATABASE)
        yield catalog
        catalog.close()


def fresh_table(catalog: FaultyCatalog) -> None:
    SWITCH.arm(None, KINDS[0])
    if catalog.table_exists((DATABASE, MACRO_SERIES.name)):
        catalog.drop_table((DATABASE, MACRO_SERIES.name))
    with tempfile.TemporaryDirectory() as _:
        migrate(catalog, DATABASE, tempfile.mkdtemp(dir=Path(catalog.properties["warehouse"][7:])), [MACRO_SERIES])


def fact(draw_from: tuple[int, int, int, float, bool]) -> dict[str, object]:
    entity, event, known, value, deleted = draw_from
    return {
        "entity": "abc"[entity],
        "event_time": EPOCH + timedelta(days=event),
        "knowledge_time": EPOCH + timedelta(days=400 * known),
        "revision_seq": 0,
        "op": "delete" if deleted else "upsert",
        "value": None if deleted else value,
        "source": "test",
    }


facts = st.tuples(
    st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.sampled_from([1.0, 2.0]), st.booleans()
).map(fact)
batches = st.lists(st.lists(facts, max_size=5), min_size=1, max_size=4)
"""Few distinct keys and values, so that duplicates and contradictions are frequent."""


def numbered(plan: list[list[dict[str, object]]]) -> list[tuple[dict[str, int], list[dict[str, object]]]]:
    sequence, out = 0, []
    for batch in plan:
        rows = []
        for row in batch:
            sequence += 1
            rows.append({**row, "record_id": f"s/0/{sequence}/0"})
        out.append(({"s/0": sequence}, rows))
    return out


def land(catalog: FaultyCatalog, marks: dict[str, int], rows: list[dict[str, object]]) -> Judgement:
    load = partial(load_table, catalog, DATABASE, MACRO_SERIES.name)
    return land_facts(load, MACRO_SERIES, rows, checkpoints=marks, clock=lambda: NOW, wait=lambda _: None)


def dictionary(plan: list[list[dict[str, object]]]) -> tuple[dict[object, object], int, set[str]]:
    """The slow, obvious twin: the first statement of a version key stands; then it is repeated or contradicted."""
    held: dict[object, object] = {}
    duplicates, conflicts = 0, set()
    for _, rows in numbered(plan):
        for row in rows:
            stated = held.setdefault(version_key(row), (row["record_id"], statement(MACRO_SERIES, row)))
            if stated[1] != statement(MACRO_SERIES, row):  # type: ignore[index]
                conflicts.add(str(row["record_id"]))
            elif stated[0] != row["record_id"]:  # type: ignore[index]
                duplicates += 1
    return held, duplicates, conflicts


def stored(catalog: FaultyCatalog) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = load_table(catalog, DATABASE, MACRO_SERIES.name).scan().to_arrow().to_pylist()
    return rows


def check(catalog: FaultyCatalog, plan: list[list[dict[str, object]]], conflicts: set[str]) -> None:
    held, duplicates, contradicted = dictionary(plan)
    rows = stored(catalog)
    assert len(rows) == len(held), "a version was lost or doubled"
    assert {version_key(r): (r["record_id"], statement(MACRO_SERIES, r)) for r in rows} == held
    assert conflicts == contradicted
    ledger = Ledger.of(load_table(catalog, DATABASE, MACRO_SERIES.name))
    assert ledger.counts.get("kept", 0) == len(held)
    assert ledger.counts.get("duplicates", 0) == duplicates


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=batches, again=st.lists(st.integers(0, 3), max_size=3))
def test_what_is_landed_equals_a_dictionary_and_redelivery_changes_nothing(catalog, plan, again):
    fresh_table(catalog)
    conflicts: set[str] = set()
    sent = numbered(plan)
    for marks, rows in [*sent, *(sent[index % len(sent)] for index in again)]:
        conflicts |= set(land(catalog, marks, rows).conflicts["record_id"].to_pylist())
    check(catalog, plan, conflicts)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=batches.filter(lambda p: any(p)), cut=st.integers(0, 10), kind=st.sampled_from(KINDS), at=st.integers(1, 7))
def test_a_writer_cut_off_at_any_write_loses_and_doubles_nothing(catalog, plan, cut, kind, at):
    fresh_table(catalog)
    conflicts: set[str] = set()
    sent = numbered(plan)
    for number, (marks, rows) in enumerate(sent):
        SWITCH.arm(at if number == cut % len(sent) else None, kind)
        try:
            judged = land(catalog, marks, rows)
        except (Crash, CommitUnknownError):
            SWITCH.arm(None, kind)
            judged = land(catalog, marks, rows)
        conflicts |= set(judged.conflicts["record_id"].to_pylist())
    SWITCH.arm(None, kind)
    check(catalog, plan, conflicts)


@pytest.mark.parametrize("kind", KINDS)
def test_every_write_of_one_landing_is_tried(catalog, kind):
    """Walks the failure through every write there is, so that none is ever left out as the code changes."""
    rows = [{**fact((n % 3, n, n % 2, 1.0, False)), "record_id": f"s/0/{n}/0"} for n in range(6)]
    at, reached = 0, True
    while reached:
        at += 1
        fresh_table(catalog)
        SWITCH.arm(at, kind)
        try:
            land(catalog, {"s/0": 5}, rows)
        except Crash:
            SWITCH.fail_at = None
            land(catalog, {"s/0": 5}, rows)
        else:
            reached = SWITCH.writes >= at
        SWITCH.arm(None, kind)
        assert sorted(str(row["record_id"]) for row in stored(catalog)) == [f"s/0/{n}/0" for n in range(6)]
    assert at > 4, "data file, manifest, manifest list, metadata and pointer at least"
