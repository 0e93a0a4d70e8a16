"""Migration and registration: the tables are what is declared, and come back after the catalog is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.update import update_table_metadata

from vintner.datasets import DATASETS
from vintner.lake import (
    Column,
    LakeReader,
    NoMetadataError,
    SchemaChangeError,
    TableMissingError,
    declarations,
    ensure_database,
    land_facts,
    load_table,
    migrate,
    register_table,
)
from vintner.lake.staging import stage
from vintner.lake.updates import set_ref
from vintner.marketdata import MACRO_SERIES

DATABASE = "facts"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def open_catalog(folder: Path, name: str) -> SqlCatalog:
    catalog = SqlCatalog(name, uri=f"sqlite:///{folder}/{name}.db", warehouse=folder.as_uri())
    ensure_database(catalog, DATABASE)
    return catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    catalog = open_catalog(tmp_path, "first")
    yield catalog
    catalog.close()


def fact(number: int) -> dict[str, object]:
    return {
        "entity": f"series{number % 5}",
        "event_time": datetime(2000 + number, 1, 1, tzinfo=UTC),
        "knowledge_time": datetime(2000 + number, 2, 1, tzinfo=UTC),
        "revision_seq": 0,
        "op": "upsert",
        "value": float(number),
        "source": "test",
        "record_id": f"s/0/{number}/0",
    }


def land(catalog, numbers, shard="s/0"):
    load = partial(load_table, catalog, DATABASE, MACRO_SERIES.name)
    rows = [fact(number) for number in numbers]
    return land_facts(load, MACRO_SERIES, rows, checkpoints={shard: max(numbers)}, clock=lambda: NOW)


def read(catalog):
    return sorted(LakeReader(catalog, DATABASE).read(MACRO_SERIES)["value"].to_pylist())


def list_files(location):
    return [str(path) for path in sorted(Path(location).glob("*"))]


def test_migration_makes_every_declared_table_and_then_nothing_more(catalog, tmp_path):
    changes = migrate(catalog, DATABASE, str(tmp_path), DATASETS.values())
    assert [(change.table, change.what) for change in changes] == [
        (name, "created") for name in [*DATASETS, "quarantine", "revisions"]
    ]
    assert migrate(catalog, DATABASE, str(tmp_path), DATASETS.values()) == []
    for declared in declarations(DATASETS.values()):
        table = load_table(catalog, DATABASE, declared.name)
        assert table.schema().as_struct() == declared.schema.as_struct()
        assert table.spec() == declared.partitioning
        assert table.sort_order().fields == declared.order.fields


def test_a_new_column_is_added_and_older_rows_have_no_value(catalog, tmp_path):
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    land(catalog, [1])
    wider = replace(MACRO_SERIES, columns=(*MACRO_SERIES.columns, Column(name="unit", type=pa.string(), doc="Unit.")))
    changes = migrate(catalog, DATABASE, str(tmp_path), [wider])
    assert ("macro_series", "added column unit") in {(change.table, change.what) for change in changes}
    assert LakeReader(catalog, DATABASE).read(wider)["unit"].to_pylist() == [None]
    assert read(catalog) == [1.0], "the older declaration still reads"


def test_a_change_that_would_reinterpret_what_is_stored_is_refused(catalog, tmp_path):
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    narrower = replace(MACRO_SERIES, columns=(Column(name="value", type=pa.string(), doc="As text."),))
    with pytest.raises(SchemaChangeError) as caught:
        migrate(catalog, DATABASE, str(tmp_path), [narrower])
    assert (caught.value.column, caught.value.present, caught.value.declared) == ("value", "double", "string")
    assert "another name" in caught.value.remedy


def test_a_missing_table_is_named_with_the_remedy(catalog):
    with pytest.raises(TableMissingError, match=r"facts\.macro_series .* migrate"):
        LakeReader(catalog, DATABASE).read(MACRO_SERIES)


def test_writers_at_once_lose_and_double_nothing(catalog, tmp_path):
    """Four writers, each landing the same ten facts and five of its own, in batches of five."""
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    failures = []

    def write(writer):
        try:
            for batch in ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10 * writer + n for n in range(5)]):
                land(catalog, batch, shard=f"s/{writer}")
        except Exception as failure:  # noqa: BLE001 - handed to the test, which fails on it
            failures.append(failure)

    threads = [Thread(target=write, args=(writer,)) for writer in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert read(catalog) == [float(n) for n in [*range(10), *(10 * w + n for w in range(1, 5) for n in range(5))]]


def declined(code: str) -> ClientError:
    """What boto3 raises when a service answers that it will not."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "UpdateTable")


@pytest.mark.parametrize(("code", "asked"), [("AccessDeniedException", 1), ("ThrottlingException", 2)])
def test_a_catalog_that_declines_is_not_asked_again_and_one_that_throttles_is(
    catalog, tmp_path, monkeypatch, code, asked
):
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    commit, calls = type(catalog).commit_table, []

    def declining(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise declined(code)
        return commit(self, *arguments)

    monkeypatch.setattr(type(catalog), "commit_table", declining)
    if asked == 1:
        with pytest.raises(ClientError):
            land(catalog, [1])
        assert read(catalog) == []
    else:
        land(catalog, [1])
    assert len(calls) == asked
    land(catalog, [1, 2])
    assert read(catalog) == [1.0, 2.0]


def test_tables_come_back_after_the_catalog_is_lost_and_stay_writable(catalog, tmp_path):
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    for start in range(0, 60, 5):
        land(catalog, range(start, start + 5))
    new = open_catalog(tmp_path, "second")
    registered = register_table(new, DATABASE, str(tmp_path), "macro_series", list_files, MACRO_SERIES)
    assert registered is not None
    assert (registered.rows, registered.recovered) == (60, 0)
    assert "/00012-" in registered.metadata
    assert register_table(new, DATABASE, str(tmp_path), "macro_series", list_files, MACRO_SERIES) is None
    assert land(new, range(58, 62)).kept["value"].to_pylist() == [60.0, 61.0]
    assert read(new) == [float(n) for n in range(62)]
    new.close()


def test_rows_of_every_candidate_for_the_newest_version_come_back_once(catalog, tmp_path):
    """A writer was stopped after writing its metadata: whether it had won, the files do not say."""
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    land(catalog, [1, 2])
    table = load_table(catalog, DATABASE, MACRO_SERIES.name)
    other = pa.Table.from_pylist([{**fact(n), "ingested_at": NOW} for n in (2, 3)], schema=MACRO_SERIES.schema)
    head = table.current_snapshot()
    staged = stage(table, head.snapshot_id if head else None, {}, other)
    location = next(Path(f"{tmp_path}/macro_series/metadata").glob("00001-*.metadata.json"))
    rival = location.with_name("00002-ffffffff-0000-0000-0000-000000000000.metadata.json")
    pointer = set_ref("main", SnapshotRefType.BRANCH, staged.snapshot_id)
    rival.write_text(update_table_metadata(table.metadata, (*staged.updates, pointer)).model_dump_json(by_alias=True))
    land(catalog, [4])
    new = open_catalog(tmp_path, "second")
    registered = register_table(new, DATABASE, str(tmp_path), "macro_series", list_files, MACRO_SERIES)
    assert registered is not None
    assert read(new) == [1.0, 2.0, 3.0, 4.0]
    assert registered.recovered == 1
    new.close()


def test_a_table_the_catalog_has_at_an_older_version_is_brought_forward_on_request(catalog, tmp_path):
    migrate(catalog, DATABASE, str(tmp_path), [MACRO_SERIES])
    land(catalog, [1])
    shutil.copy(tmp_path / "first.db", tmp_path / "backup.db")
    land(catalog, [2])
    land(catalog, [3])
    restored = open_catalog(tmp_path, "backup")
    restored.name, name = "first", restored.name
    assert read(restored) == [1.0]
    where = (restored, DATABASE, str(tmp_path), "macro_series", list_files, MACRO_SERIES)
    assert register_table(*where) is None
    registered = register_table(*where, newest=True)
    assert registered is not None
    assert (registered.rows, read(restored)) == (3, [1.0, 2.0, 3.0])
    assert register_table(*where, newest=True) is None
    restored.name = name
    restored.close()


def test_a_folder_without_metadata_is_named(catalog, tmp_path):
    with pytest.raises(NoMetadataError, match="macro_series"):
        register_table(catalog, DATABASE, str(tmp_path), "macro_series", list_files, MACRO_SERIES)
