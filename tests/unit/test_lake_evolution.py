"""What a declaration may change, rule by rule; and that every type of value, and of key, comes back as it went in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.property.test_judging import KEYS, VALUES
from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, open_memory_catalog
from vintner.bitemporal.content import content_hash
from vintner.lake import (
    Column,
    Dataset,
    DeclarationError,
    LakeReader,
    Layout,
    SchemaChangeError,
    land_facts,
    load_table,
    migrate,
)
from vintner.lake.compatibility import RULES, ChangeKind, Verdict
from vintner.lake.handle import Lake
from vintner.lake.maintenance import compact
from vintner.lake.revisions import audit_draft, draft_rows, publish_draft, reproduce

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def column(name: str, kind: pa.DataType, doc: str = "Doc.") -> Column:
    return Column(name=name, type=kind, doc=doc)


BEFORE = Dataset(
    name="quotes",
    doc="Quotes.",
    stream="market_data",
    columns=(
        column("size", pa.int32()),
        column("rate", pa.float32()),
        column("money", pa.decimal128(9, 2)),
        column("notes", pa.list_(pa.string())),
    ),
    layout=Layout.MONTH_OF_KNOWLEDGE,
)


def retyped(name: str, kind: pa.DataType) -> Callable[[Dataset], Dataset]:
    return lambda d: replace(d, columns=tuple(replace(c, type=kind) if c.name == name else c for c in d.columns))


def added(*columns: Column) -> Callable[[Dataset], Dataset]:
    return lambda dataset: replace(dataset, columns=(*dataset.columns, *columns))


CHANGES: dict[str, tuple[Callable[[Dataset], Dataset], ChangeKind | None]] = {
    "a column more": (added(column("venue", pa.string())), ChangeKind.ADD_OPTIONAL),
    "a nested column more": (added(column("legs", pa.list_(pa.int64()))), ChangeKind.ADD_OPTIONAL),
    "a column less": (lambda d: replace(d, columns=d.columns[1:]), ChangeKind.RETIRE),
    "another name": (
        lambda d: replace(d, columns=(column("volume", pa.int32()), *d.columns[1:])),
        ChangeKind.RENAME,
    ),
    "another order": (lambda d: replace(d, columns=tuple(reversed(d.columns))), None),
    "a wider integer": (retyped("size", pa.int64()), ChangeKind.WIDEN),
    "a wider float": (retyped("rate", pa.float64()), ChangeKind.WIDEN),
    "more digits": (retyped("money", pa.decimal128(18, 2)), ChangeKind.WIDEN),
    "fewer digits": (retyped("money", pa.decimal128(8, 2)), ChangeKind.RETYPE),
    "another scale": (retyped("money", pa.decimal128(18, 4)), ChangeKind.RETYPE),
    "an integer as a float": (retyped("size", pa.float64()), ChangeKind.RETYPE),
    "a number as text": (retyped("size", pa.string()), ChangeKind.RETYPE),
    "another list": (retyped("notes", pa.list_(pa.int64())), ChangeKind.RETYPE),
    "other words": (
        lambda d: replace(d, columns=(column("size", pa.int32(), doc="Lots."), *d.columns[1:])),
        ChangeKind.DOCUMENT,
    ),
    "a key more": (
        lambda d: replace(d, keys=(column("entity", pa.string()), column("venue", pa.string()))),
        ChangeKind.ADD_REQUIRED,
    ),
    "another key": (lambda d: replace(d, keys=(column("symbol", pa.string()),)), ChangeKind.ADD_REQUIRED),
    "another partitioning": (lambda d: replace(d, layout=Layout.YEAR_OF_EVENT), ChangeKind.REPARTITION),
    "no partitioning": (lambda d: replace(d, layout=Layout.WHOLE), ChangeKind.REPARTITION),
    "another sort order": (lambda d: replace(d, sort=("event_time", "entity")), ChangeKind.RESORT),
    "larger files": (lambda d: replace(d, file_bytes=2**20), ChangeKind.SET),
    "another description": (lambda d: replace(d, doc="Quotes of all."), ChangeKind.SET),
}


@pytest.fixture
def catalog() -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [BEFORE])
    yield catalog
    catalog.close()


def land(catalog: MemoryCatalog, dataset: Dataset, *rows: dict[str, Any]) -> None:
    clocks = {"event_time": NOW, "knowledge_time": NOW, "revision_seq": 0, "op": "upsert", "source": "t"}
    full = [{**clocks, "record_id": f"s/0/{number}/0", **row} for number, row in enumerate(rows)]
    load = lambda: load_table(catalog, DATABASE, dataset.name)  # noqa: E731
    land_facts(load, dataset, full, checkpoints={}, clock=catalog.disk.clock)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_applied_or_refused_by_its_rule(catalog: MemoryCatalog, name: str) -> None:
    change, kind = CHANGES[name]
    land(catalog, BEFORE, {"entity": "a", "size": 1, "rate": 0.5, "notes": ["x"]})
    after = change(BEFORE)
    before = catalog.disk.pointers.copy()
    rule = RULES[kind] if kind is not None else None
    if rule is not None and rule.verdict is Verdict.REFUSED:
        with pytest.raises(SchemaChangeError) as caught:
            migrate(catalog, DATABASE, WAREHOUSE, [after])
        assert caught.value.remedy == rule.reason
        assert catalog.disk.pointers == before, "nothing of the table was changed"
        return
    changes = migrate(catalog, DATABASE, WAREHOUSE, [after])
    assert bool(changes) is (rule is not None and rule.verdict is Verdict.APPLIED)
    assert migrate(catalog, DATABASE, WAREHOUSE, [after]) == []
    land(catalog, after, {"entity": "b"})
    found = LakeReader(catalog, DATABASE).read(after).sort_by("entity")
    assert found.schema == after.schema
    assert found["entity"].to_pylist() == ["a", "b"]
    if "size" in found.column_names:
        assert found["size"].to_pylist() == [1, None]
    assert LakeReader(catalog, DATABASE).read(BEFORE).num_rows == 2 or kind is ChangeKind.WIDEN


def test_every_kind_of_change_has_a_rule_and_a_case(catalog: MemoryCatalog) -> None:
    assert set(RULES) == set(ChangeKind)
    cases = {kind for _, kind in CHANGES.values()}
    assert set(ChangeKind) - cases == {ChangeKind.RELAX, ChangeKind.TIGHTEN, ChangeKind.REKEY}, "tried below"


def test_a_key_less_is_another_dataset(catalog: MemoryCatalog) -> None:
    two = replace(BEFORE, name="two", keys=(column("entity", pa.string()), column("venue", pa.string())))
    migrate(catalog, DATABASE, WAREHOUSE, [two])
    with pytest.raises(SchemaChangeError) as caught:
        migrate(catalog, DATABASE, WAREHOUSE, [replace(BEFORE, name="two")])
    assert (caught.value.column, caught.value.present, caught.value.declared) == ("keys", "entity,venue", "entity")


def test_what_another_engine_made_required_or_optional(catalog: MemoryCatalog) -> None:
    """A declaration of ours has required keys and optional values; a table may have been altered elsewhere."""
    table = load_table(catalog, DATABASE, BEFORE.name)
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.update_column("size", required=True)
    assert [change.what for change in migrate(catalog, DATABASE, WAREHOUSE, [BEFORE])] == [
        "make a column optional: size"
    ]
    with load_table(catalog, DATABASE, BEFORE.name).update_schema(allow_incompatible_changes=True) as update:
        update.make_column_optional("source")
    with pytest.raises(SchemaChangeError, match="leave it optional"):
        migrate(catalog, DATABASE, WAREHOUSE, [BEFORE])


def test_the_order_of_a_table_follows_its_declaration(catalog: MemoryCatalog) -> None:
    migrate(catalog, DATABASE, WAREHOUSE, [replace(BEFORE, sort=("event_time", "entity"))])
    table = load_table(catalog, DATABASE, BEFORE.name)
    names = [table.schema().find_column_name(field.source_id) for field in table.sort_order().fields]
    assert names == ["event_time", "entity"]


EVERY_TYPE = Dataset(
    name="everything",
    doc="Every type of key and of value.",
    stream="market_data",
    keys=tuple(column(name, kind) for name, (kind, _) in KEYS.items()),
    columns=tuple(column(name, kind) for name, (kind, _) in VALUES.items()),
    layout=Layout.WHOLE,
)


def test_every_type_comes_back_through_stream_draft_and_compaction(catalog: MemoryCatalog) -> None:
    migrate(catalog, DATABASE, WAREHOUSE, [EVERY_TYPE])
    lake = Lake(catalog, DATABASE, catalog.disk.clock)
    rows = [
        {name: values[number % len(values)] for name, (_, values) in (KEYS | VALUES).items()} | {"tag": bytes([number])}
        for number in range(6)
    ]
    land(catalog, EVERY_TYPE, *rows[:2])
    land(catalog, EVERY_TYPE, *rows[:4])
    table = load_table(catalog, DATABASE, EVERY_TYPE.name)
    assert table.scan().count() == 4, "what is there already is recognised by keys of every type"
    full = [
        {
            "event_time": NOW,
            "knowledge_time": NOW,
            "revision_seq": 0,
            "op": "upsert",
            "source": "t",
            "record_id": "d/0/1/0",
        }
        | row
        for row in rows
    ]
    draft_rows(lake, EVERY_TYPE, "rest", full)
    audit = audit_draft(lake, EVERY_TYPE, "rest")
    assert (audit.rows, audit.added, audit.passed) == (2, 2, True)
    publish_draft(lake, EVERY_TYPE, audit, as_of=NOW, author="a", reason="r")
    before = reproduce(lake, EVERY_TYPE, as_of=NOW, revision_seq=0)
    assert [done.rows for done in compact(lake, EVERY_TYPE.name, sort=EVERY_TYPE.sort_names, few=2)] == [6]
    assert content_hash(reproduce(lake, EVERY_TYPE, as_of=NOW, revision_seq=0)) == content_hash(before)
    found = LakeReader(catalog, DATABASE).read(EVERY_TYPE).sort_by("tag")
    expected = pa.Table.from_pylist(rows, schema=pa.schema([found.schema.field(name) for name in (*KEYS, *VALUES)]))
    assert str(found.select(expected.column_names).to_pylist()) == str(expected.to_pylist())


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": (column("op", pa.string()),)},
        {"columns": (column("entity", pa.string()),)},
        {"columns": (column("a", pa.string()), column("a", pa.string()))},
        {"keys": ()},
        {"keys": (column("knowledge_time", pa.string()),)},
        {"keys": (column("price", pa.float64()),)},
        {"keys": (column("path", pa.list_(pa.string())),)},
        {"sort": ("nothing",)},
    ],
)
def test_a_declaration_no_table_can_be_made_of_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        replace(BEFORE, **changes)
