"""Write, audit, publish: what a draft changes is told before anyone reads it, and a revision is kept for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.support.memory import DATABASE, WAREHOUSE, loader, open_memory_catalog
from vintner.lake import Column, LakeReader, Ledger, Revision, UnknownRevisionError, land_facts, migrate
from vintner.lake.errors import (
    DraftChangedError,
    DraftConflictError,
    DraftMissingError,
    DraftNameError,
    DraftPublishedError,
    DraftRefusedError,
    MainMovedError,
    RevisionContentError,
    RevisionRecordError,
)
from vintner.lake.handle import Lake
from vintner.lake.revisions import (
    Audit,
    RevisionRecord,
    abandon_draft,
    audit_draft,
    draft_rows,
    drafts_of,
    publish_draft,
    rebase_draft,
    record_missing,
    reproduce,
    revision_records,
    roll_back,
    verify_chain,
)
from vintner.marketdata import MACRO_SERIES as SERIES

T0 = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)


@pytest.fixture
def lake() -> Iterator[Lake]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [SERIES])
    yield Lake(catalog, DATABASE, catalog.disk.clock, wait=lambda _: None)
    catalog.close()


def fact(entity: str, value: float | None, known: int = 0, op: str = "upsert", event: int = 0) -> dict[str, Any]:
    clocks = {"event_time": T0 + timedelta(days=event), "knowledge_time": T0 + timedelta(days=known)}
    return {
        "entity": entity,
        **clocks,
        "revision_seq": 0,
        "op": op,
        "value": value,
        "source": "t",
        "record_id": "b/0/1/0",
    }


def stream(lake: Lake, *rows: dict[str, Any]) -> None:
    land_facts(lake.loader(SERIES.name), SERIES, rows, checkpoints={"s/0": 1}, clock=lake.clock)


def publish(lake: Lake, draft: str, *rows: dict[str, Any], as_of: datetime = AS_OF) -> RevisionRecord:
    draft_rows(lake, SERIES, draft, rows)
    return publish_draft(lake, SERIES, audit_draft(lake, SERIES, draft), as_of=as_of, author="ann", reason="test")


def values(lake: Lake, revision: Revision | None = None, cut: datetime | None = None) -> dict[str, float]:
    found = LakeReader(lake.catalog, lake.database).read(SERIES, revision=revision, ingested_to=cut)
    return dict(zip(found["entity"].to_pylist(), found["value"].to_pylist(), strict=True))


def test_a_draft_is_not_read_until_it_is_published(lake: Lake) -> None:
    stream(lake, fact("a", 1.0))
    done = draft_rows(lake, SERIES, "backfill", [fact("b", 2.0), fact("a", 1.0)])
    assert (done.kept, done.repeated) == (1, 1)
    assert values(lake) == {"a": 1.0}
    again = draft_rows(lake, SERIES, "backfill", [fact("b", 2.0), fact("a", 1.0), fact("c", 3.0)])
    assert (again.kept, again.repeated) == (1, 2), "a loader that died starts again"
    assert values(lake, "draft-backfill") == {"a": 1.0, "b": 2.0, "c": 3.0}
    revision = publish_draft(
        lake, SERIES, audit_draft(lake, SERIES, "backfill"), as_of=AS_OF, author="ann", reason="vendor"
    )
    assert values(lake) == values(lake, revision.tag) == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert (revision.tag, revision.rows, revision.author) == ("rev-20251231T000000000000Z-0", 3, "ann")
    assert drafts_of(lake.load(SERIES.name)) == []
    assert Ledger.of(lake.load(SERIES.name)).checkpoints == {"s/0": 1}, "the stream goes on from its checkpoint"
    assert Ledger.of(lake.load(SERIES.name)).counts["kept"] == 3


def test_an_empty_table_is_filled_by_a_draft(lake: Lake) -> None:
    publish(lake, "first", fact("a", 1.0))
    assert values(lake) == {"a": 1.0}


def audited(lake: Lake, *rows: dict[str, Any]) -> Audit:
    draft_rows(lake, SERIES, "d", rows)
    return audit_draft(lake, SERIES, "d")


def test_the_audit_tells_facts_added_revised_retracted_and_unchanged(lake: Lake) -> None:
    stream(lake, *(fact(name, value) for name, value in zip("abcdef", (1.0, 2.0, 4.0, 8.0, 16.0, 0.0), strict=True)))
    audit = audited(
        lake,
        fact("new", 1.0),
        fact("a", 1.5, known=1),
        fact("b", 2.5, known=1),
        fact("b", 12.0, known=2),
        fact("c", None, known=1, op="delete"),
        fact("d", 8.0, known=1),
        fact("e", 99.0, known=-1),
        fact("f", 3.0, known=1),
        fact("never", None, op="delete"),
    )
    told = (audit.rows, audit.added, audit.revised, audit.retracted, audit.unchanged)
    assert told == (9, 1, 3, 1, 3), "an older version than the one that wins changes no answer"
    (column,) = audit.columns
    assert (column.column, column.changed) == ("value", 3)
    assert [(move.fact["entity"], move.before, move.after) for move in column.largest] == [
        ("b", 2.0, 12.0),
        ("f", 0.0, 3.0),
        ("a", 1.0, 1.5),
    ]
    assert [move.fact["entity"] for move in column.largest_relative] == ["b", "a"], "from zero there is no ratio"
    assert audit.passed
    assert not audit.moved


def test_what_contradicts_is_refused_with_the_first_of_it(lake: Lake) -> None:
    stream(lake, fact("a", 1.0))
    with pytest.raises(DraftConflictError, match=r"1 rows .* entity a, event_time 2025"):
        draft_rows(lake, SERIES, "d", [fact("b", 1.0), fact("a", 2.0)])
    with pytest.raises(DraftConflictError):
        draft_rows(lake, SERIES, "d", [fact("b", 1.0), fact("b", 2.0)])
    assert drafts_of(lake.load(SERIES.name)) == []
    with pytest.raises(DraftNameError):
        draft_rows(lake, SERIES, "no spaces", [fact("b", 1.0)])


def test_what_another_engine_wrote_to_a_draft_is_audited_too(lake: Lake) -> None:
    stream(lake, fact("a", 1.0), fact("b", 1.0))
    draft_rows(lake, SERIES, "d", [fact("c", 1.0)])
    stamp = LakeReader(lake.catalog, DATABASE).settled_to(SERIES)
    rows = [fact("a", 1.0), fact("b", 2.0), fact("e", 5.0)]
    alien = pa.Table.from_pylist([{**row, "ingested_at": stamp} for row in rows], schema=SERIES.schema)
    lake.load(SERIES.name).append(alien, branch="draft-d")
    audit = audit_draft(lake, SERIES, "d")
    assert [finding.split(" ", 1)[1][:28] for finding in audit.findings] == [
        "rows repeat a version that i",
        "rows have a version key that",
        "rows are stamped at or befor",
    ]
    with pytest.raises(DraftRefusedError, match="may not be published: 1 rows repeat"):
        publish_draft(lake, SERIES, audit, as_of=AS_OF, author="ann", reason="r")
    lake.load(SERIES.name).overwrite(alien, branch="draft-d")
    assert "data files of main are gone" in audit_draft(lake, SERIES, "d").findings[0]


def test_values_that_break_a_rule_are_found(lake: Lake) -> None:
    broken = [fact("a", None), fact("b", 1.0, op="remove"), fact("c", 1.0), fact("d", None, op="delete")]
    audit = audited(lake, *broken)
    assert audit.findings == ("1 rows have an operation that is neither upsert nor delete", "1 rows state no value")
    bounded = replace(SERIES, columns=(replace(SERIES.columns[0], minimum=2.0, required=False),))
    assert "2 rows have a value below its bound" in audit_draft(lake, bounded, "d").findings
    bounded = replace(SERIES, columns=(replace(SERIES.columns[0], exclusive_minimum=1.0, required=False),))
    assert "2 rows have a value below its bound" in audit_draft(lake, bounded, "d").findings


def test_only_what_was_audited_on_the_main_that_is_can_be_published(lake: Lake) -> None:
    stream(lake, fact("a", 1.0))
    audit = audited(lake, fact("b", 2.0))
    draft_rows(lake, SERIES, "d", [fact("c", 3.0)])
    with pytest.raises(DraftChangedError):
        publish_draft(lake, SERIES, audit, as_of=AS_OF, author="ann", reason="r")
    settled = LakeReader(lake.catalog, DATABASE).settled_to(SERIES)
    stream(lake, fact("z", 9.0), fact("c", 3.0))
    after = LakeReader(lake.catalog, DATABASE).settled_to(SERIES)
    with pytest.raises(MainMovedError, match="rebase"):
        publish_draft(lake, SERIES, audit_draft(lake, SERIES, "d"), as_of=AS_OF, author="ann", reason="r")
    assert audit_draft(lake, SERIES, "d").moved
    assert rebase_draft(lake, SERIES, "d").kept == 1, "c came by the stream meanwhile"
    assert rebase_draft(lake, SERIES, "d").kept == 0
    publish_draft(lake, SERIES, audit_draft(lake, SERIES, "d"), as_of=AS_OF, author="ann", reason="r")
    assert values(lake) == {"a": 1.0, "b": 2.0, "c": 3.0, "z": 9.0}
    assert values(lake, cut=settled) == {"a": 1.0}
    assert values(lake, cut=after) == {"a": 1.0, "c": 3.0, "z": 9.0}, "the draft is stamped after what it was put onto"


def test_a_rebase_that_would_contradict_main_leaves_the_draft_as_it_was(lake: Lake) -> None:
    stream(lake, fact("a", 1.0))
    audited(lake, fact("b", 2.0))
    stream(lake, fact("b", 3.0))
    with pytest.raises(DraftConflictError):
        rebase_draft(lake, SERIES, "d")
    assert values(lake, "draft-d") == {"a": 1.0, "b": 2.0}
    assert abandon_draft(lake, SERIES, "d")
    assert not abandon_draft(lake, SERIES, "d")
    with pytest.raises(DraftMissingError, match="has no draft d; it has none"):
        audit_draft(lake, SERIES, "d")


def test_publishing_again_returns_the_revision_and_its_name_is_taken(lake: Lake) -> None:
    audit = audited(lake, fact("a", 1.0))
    one = publish_draft(lake, SERIES, audit, as_of=AS_OF, author="ann", reason="r")
    assert publish_draft(lake, SERIES, audit, as_of=AS_OF, author="ann", reason="r") == one
    assert revision_records(lake) == [one]
    with pytest.raises(DraftPublishedError, match="was published as rev-"):
        draft_rows(lake, SERIES, "d", [fact("b", 1.0)])


def test_revisions_reproduce_whatever_comes_after(lake: Lake) -> None:
    first = publish(lake, "one", fact("a", 1.0), fact("b", 2.0, known=400))
    content = reproduce(lake, SERIES, as_of=AS_OF, revision_seq=0)
    assert content["entity"].to_pylist() == ["a"], "what was known later is not part of it"
    stream(lake, fact("s", 7.0))
    wider = replace(SERIES, columns=(*SERIES.columns, Column(name="unit", type=pa.string(), doc="Unit.")))
    migrate(lake.catalog, DATABASE, WAREHOUSE, [wider])
    second = publish(lake, "two", fact("a", 1.5, known=1))
    assert (second.revision_seq, second.rows) == (1, 3)
    assert reproduce(lake, SERIES, as_of=AS_OF, revision_seq=0).equals(content)
    assert reproduce(lake, wider, as_of=AS_OF, revision_seq=0).equals(content)
    assert [one.tag for one in revision_records(lake)] == [first.tag, second.tag]
    with pytest.raises(UnknownRevisionError, match=f"it has {first.tag}, {second.tag}"):
        reproduce(lake, SERIES, as_of=AS_OF, revision_seq=2)


def test_a_revision_whose_files_changed_is_not_returned(lake: Lake) -> None:
    publish(lake, "one", fact("a", 1.0))
    disk = lake.catalog.disk  # type: ignore[attr-defined]
    (data,) = (name for name in disk.files if "macro_series/data" in name)
    publish(lake, "other", fact("b", 5.0))
    (other,) = (name for name in disk.files if "macro_series/data" in name and name != data)
    disk.files[data] = disk.files[other]
    with pytest.raises(RevisionContentError, match="restore its files"):
        reproduce(lake, SERIES, as_of=AS_OF, revision_seq=0)


def test_going_back_withdraws_and_loses_nothing(lake: Lake) -> None:
    first = publish(lake, "one", fact("a", 1.0))
    publish(lake, "two", fact("a", 9.0, known=1), fact("b", 2.0))
    stream(lake, fact("s", 7.0))
    reader = LakeReader(lake.catalog, DATABASE)
    before = reader.settled_to(SERIES)
    assert before is not None
    back = roll_back(lake, SERIES, as_of=AS_OF, revision_seq=0, author="bob", reason="bad vendor file")
    assert (back.revision_seq, back.kind.value, back.source) == (2, "rollback", first.tag)
    assert values(lake) == {"a": 1.0}
    assert reader.read(SERIES, ingested_to=before).num_rows == 4, "what was there then is read there still"
    assert reader.read(SERIES, ingested_to=back.published_at).num_rows == 1
    assert roll_back(lake, SERIES, as_of=AS_OF, revision_seq=0, author="bob", reason="again") == back
    assert reproduce(lake, SERIES, as_of=AS_OF, revision_seq=2).equals(
        reproduce(lake, SERIES, as_of=AS_OF, revision_seq=0)
    )
    ledger = Ledger.of(lake.load(SERIES.name))
    assert (ledger.checkpoints, ledger.counts["kept"] - ledger.counts["withdrawn"]) == ({"s/0": 1}, 1)
    stream(lake, fact("s", 7.0))
    assert values(lake) == {"a": 1.0, "s": 7.0}, "a replayed stream lands what is not there"
    assert reader.read(SERIES, ingested_to=before).num_rows == 4
    withdrawn = next(name for name in lake.load(SERIES.name).refs() if name.startswith("until-"))
    again = reader.read(SERIES, revision=withdrawn, entities=["b"])
    draft_rows(lake, SERIES, "good", again)
    publish_draft(lake, SERIES, audit_draft(lake, SERIES, "good"), as_of=AS_OF, author="bob", reason="the good ones")
    assert values(lake) == {"a": 1.0, "b": 2.0, "s": 7.0}
    later = roll_back(lake, SERIES, as_of=AS_OF, revision_seq=1, author="bob", reason="it was good after all")
    assert later.revision_seq == 4
    assert reader.read(SERIES).num_rows == 3
    assert reader.read(SERIES, ingested_to=before).num_rows == 4
    assert verify_chain(lake) == 5


def test_the_chain_of_records_tells_a_change(lake: Lake) -> None:
    for number in range(3):
        publish(lake, f"d{number}", fact(f"e{number}", 1.0))
    assert verify_chain(lake) == 3
    table = lake.load("revisions")
    rows = table.scan().to_arrow().sort_by("sequence")
    forged = rows.set_column(
        rows.schema.get_field_index("author"), rows.schema.field("author"), [["ann", "eve", "ann"]]
    )
    for written, problem in (
        (forged, "is not what"),
        (rows.slice(1), "stands where"),
        (rows.slice(0, 2), "is missing"),
    ):
        table.overwrite(written)
        with pytest.raises(RevisionRecordError, match=problem):
            verify_chain(lake)
    table.overwrite(rows)
    assert verify_chain(lake) == 3


def test_a_revision_left_without_its_record_is_recorded_later(lake: Lake) -> None:
    published = publish(lake, "one", fact("a", 1.0))
    lake.catalog.drop_table((DATABASE, "revisions"))
    migrate(lake.catalog, DATABASE, WAREHOUSE, [SERIES])
    assert revision_records(lake) == []
    assert record_missing(lake, [SERIES]) == [published]
    assert record_missing(lake, [SERIES]) == []
    assert revision_records(lake) == [published]
    assert loader(lake.catalog, "revisions")().metadata.current_snapshot_id is not None  # type: ignore[arg-type]
