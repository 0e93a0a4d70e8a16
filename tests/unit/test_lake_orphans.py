"""What the removal of orphans must never take for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, loader, open_memory_catalog
from vintner.lake import land_facts, migrate
from vintner.lake.errors import UnsafeAgeError
from vintner.lake.handle import Lake
from vintner.lake.maintenance import StoredFile, find_orphans, remove_orphans
from vintner.marketdata import MACRO_SERIES

NEIGHBOUR = replace(MACRO_SERIES, name=f"{MACRO_SERIES.name}_daily")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def catalog() -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES, NEIGHBOUR])
    for dataset in (MACRO_SERIES, NEIGHBOUR):
        row: dict[str, Any] = {"entity": "s", "event_time": DAY, "knowledge_time": DAY, "revision_seq": 0}
        row |= {"op": "upsert", "value": 1.0, "source": "t", "record_id": "s/0/1/0"}
        land_facts(loader(catalog, dataset.name), dataset, [row], checkpoints={}, clock=catalog.disk.clock)
    catalog.disk.now += timedelta(days=30)
    yield catalog
    catalog.close()


@pytest.fixture
def lake(catalog: MemoryCatalog) -> Lake:
    return Lake(catalog, DATABASE, catalog.disk.clock)


def test_a_neighbour_whose_name_begins_alike_keeps_its_files(lake: Lake, catalog: MemoryCatalog) -> None:
    def by_prefix(location: str) -> list[StoredFile]:
        files = catalog.disk.files.items()
        return [StoredFile(name, len(content), at) for name, (content, at) in files if name.startswith(location)]

    before = {name for name in catalog.disk.files if f"/{NEIGHBOUR.name}/" in name}
    assert any(f"/{NEIGHBOUR.name}/" in file.location for file in by_prefix(lake.load(MACRO_SERIES.name).location()))
    remove_orphans(lake, MACRO_SERIES.name, stored=by_prefix, remove=catalog.disk.remove)
    assert before <= set(catalog.disk.files)


def test_a_file_named_with_another_scheme_is_the_same_file(lake: Lake, catalog: MemoryCatalog) -> None:
    def as_another_engine_says(location: str) -> list[StoredFile]:
        return [
            replace(file, location=file.location.replace("memory://", "other://"))
            for file in catalog.disk.stored(location)
        ]

    assert WAREHOUSE.startswith("memory://")
    stray = f"{lake.load(MACRO_SERIES.name).location()}/data/stray.parquet"
    catalog.disk.files[stray] = b"", DAY
    live = {file.file.file_path for file in lake.load(MACRO_SERIES.name).scan().plan_files()}
    found = {one.location for one in find_orphans(lake, MACRO_SERIES.name, stored=as_another_engine_says)}
    assert stray.replace("memory://", "other://") in found
    assert not {location.replace("other://", "memory://") for location in found} & live


def test_an_age_at_which_files_may_be_in_use_is_refused(lake: Lake, catalog: MemoryCatalog) -> None:
    with pytest.raises(UnsafeAgeError):
        find_orphans(lake, MACRO_SERIES.name, stored=catalog.disk.stored, safe_age=timedelta(minutes=59))
