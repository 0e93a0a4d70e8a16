"""Real vintages through the lake: landed as they came, read back at any revision and system cut, and restated.

The lake of a collection is made once: what is published later may not change what a revision or a cut reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from tests.support.real_data import Stated, collection
from vintner.bitemporal import INSTANT, FactSource, as_of_join, vintage
from vintner.features.provenance import PinnedSource, blast_radius, manifest_of, rebuild, restatement_between
from vintner.features.provenance.model import Tag
from vintner.lake import LakeReader, ensure_database, land_facts, migrate
from vintner.lake.handle import Lake
from vintner.lake.revisions import audit_draft, draft_rows, publish_draft
from vintner.marketdata import MACRO_SERIES as SERIES

DATABASE: Final = "facts"
BATCHES: Final = 3
MOST_ROWS: Final = 5_000
"""Of collections with more rows every so many-th event is taken."""

MOMENT: Final = timedelta(microseconds=1)
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES: Final = {
    "uk-vintages": ("gdpkp", "unemp"),
    "philadelphia": ("ROUTPUT", "RUC"),
    "french-5": ("hml",),
    "sec-company-facts": None,
}
"""Which entities of a collection are landed; None for all."""


@dataclass
class Landed:
    """A lake into which a collection was landed batch by batch."""

    lake: Lake
    batches: list[list[Stated]]
    snapshots: list[int]
    stamps: list[datetime]

    @property
    def reader(self) -> LakeReader:
        return LakeReader(self.lake.catalog, self.lake.database)

    def told(self, count: int) -> list[Stated]:
        """The rows of the first batches, by fact and knowledge."""
        return sorted(row for batch in self.batches[:count] for row in batch)


class Clock:
    """A store's clock that moves an hour each time it is looked at."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(hours=1)
        return self.now


def rows_of(batch: Sequence[Stated], number: int) -> pa.Table:
    columns: dict[str, Any] = {
        "entity": [row.entity for row in batch],
        "event_time": [row.event for row in batch],
        "knowledge_time": [row.known for row in batch],
        "revision_seq": [row.seq for row in batch],
        "op": ["upsert"] * len(batch),
        "ingested_at": [START] * len(batch),
        "value": [row.value for row in batch],
        "source": ["file"] * len(batch),
        "record_id": [f"file/0/{number}/{place}" for place in range(len(batch))],
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in SERIES.schema},
                    schema=SERIES.schema)  # fmt: skip


def sample(name: str) -> list[Stated]:
    wanted = SAMPLES[name]
    rows = [row for row in collection(name).rows if wanted is None or row.entity in wanted]
    step = -(-len(rows) // MOST_ROWS)
    events = set(sorted({row.event for row in rows}, reverse=True)[::step])
    rows = [row for row in rows if row.event in events]
    return sorted(rows, key=lambda row: (row.known, row.seq))


@pytest.fixture(scope="module", params=SAMPLES)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landed]:
    rows, folder = sample(request.param), tmp_path_factory.mktemp("lake")
    size = -(-len(rows) // BATCHES)
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/lake.db", warehouse=folder.as_uri())
    ensure_database(catalog, DATABASE)
    migrate(catalog, DATABASE, folder.as_uri(), [SERIES])
    done = Landed(Lake(catalog, DATABASE, Clock()), batches, [], [])
    for number, batch in enumerate(batches):
        judged = land_facts(done.lake.loader(SERIES.name), SERIES, rows_of(batch, number),
                            checkpoints={"file/0": number}, clock=done.lake.clock)  # fmt: skip
        assert judged.kept.num_rows == len(batch)
        snapshot = done.lake.load(SERIES.name).current_snapshot()
        assert snapshot is not None
        done.snapshots.append(snapshot.snapshot_id)
        done.stamps.append(judged.kept["ingested_at"][0].as_py())
    yield done
    catalog.close()


def seen(rows: Sequence[Stated], known_at: datetime) -> list[tuple[object, ...]]:
    facts: dict[tuple[str, datetime], Stated] = {}
    for row in rows:
        if row.known <= known_at:
            facts[row.entity, row.event] = row
    return [(row.entity, row.event, row.value) for row in facts.values()]


def cells(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in ("entity", "event_time", "value")), strict=True))


def test_every_revision_and_system_cut_answers_as_it_did(landed: Landed) -> None:
    compared = 0
    for count, (snapshot, stamp) in enumerate(zip(landed.snapshots, landed.stamps, strict=True), start=1):
        told = landed.told(count)
        pinned = landed.reader.read(SERIES, revision=snapshot)
        replayed = landed.reader.read(SERIES, ingested_to=stamp)
        last = landed.batches[count - 1][-1].known
        for known_at in (last - MOMENT, last, landed.batches[0][-1].known):
            right = seen(told, known_at)
            assert cells(vintage(pinned, known_at=known_at)) == right
            assert cells(vintage(replayed, known_at=known_at, system_at=stamp)) == right
            compared += len(right)
        before = landed.reader.read(SERIES, ingested_to=stamp - MOMENT)
        assert before.num_rows == len(landed.told(count - 1))
    assert compared > 400


def test_a_restatement_is_weighed_before_it_is_published(landed: Landed) -> None:
    held = landed.told(BATCHES)
    asked = sorted({(row.entity, row.known) for row in held})
    asked = asked[:: max(1, len(asked) // 400)]
    restated = restate(held, asked)
    spine = pa.table({"entity": [e for e, _ in asked], "time": pa.array([t for _, t in asked], INSTANT)})
    reader, columns = landed.reader, {"value": "value"}
    table = as_of_join(spine, [FactSource(facts=reader.read(SERIES), columns=columns)])
    source = PinnedSource(dataset=SERIES.name, columns=columns)
    manifest = manifest_of(
        table, name="series", kind="training", code_version="1", sources=[source], system_at=landed.stamps[-1]
    )

    draft_rows(landed.lake, SERIES, "restated", rows_of(restated, BATCHES))
    weighed = restatement_between(SERIES, reader, before="main", after="draft-restated")
    assert weighed.stated.num_rows == len(restated)
    radius = blast_radius(weighed, [manifest], reader, move="knowledge")
    assert found(radius.changes) == differences(asked, held, restated, always=True)
    assert radius.changes.num_rows >= len(restated)
    late_only = blast_radius(weighed, [manifest], reader, move="system")
    assert found(late_only.changes) == differences(asked, held, restated, always=False)
    assert late_only.changes.num_rows < radius.changes.num_rows

    revision = publish_draft(landed.lake, SERIES, audit_draft(landed.lake, SERIES, "restated"),
                             as_of=restated[-1].known, author="ann", reason="restated")  # fmt: skip
    assert rebuild(manifest, reader).equals(table), "the pinned system cut keeps what was published since out"
    tagged = source.model_copy(update={"revision": Tag(tag=revision.tag)})
    again = as_of_join(spine, [FactSource(facts=reader.read(SERIES, revision=revision.tag), columns=columns)])
    late = manifest_of(again, name="series", kind="training", code_version="1", sources=[tagged])
    assert rebuild(late, reader).equals(again)
    assert found(blast_radius(weighed, [manifest], reader, move="knowledge").changes) == differences(
        asked, held, restated, always=True
    )


def restate(held: Sequence[Stated], asked: Sequence[tuple[str, datetime]]) -> list[Stated]:
    """Restate, a day after its last version, the newest fact of every eighth row that asks."""
    last: dict[tuple[str, datetime], Stated] = {}
    for entity, time in asked[::8]:
        own = [row for row in held if row.entity == entity and row.event <= time]
        known = [row for row in own if row.known <= time]
        if known:
            event = max(row.event for row in known)
            row = max((row for row in own if row.event == event), key=lambda row: (row.known, row.seq))
            last[entity, event] = row._replace(known=row.known + timedelta(days=1), value=(row.value or 0.0) + 1.0)
    return list(last.values())


def found(changes: pa.Table) -> dict[int, tuple[float | None, float | None]]:
    rows = zip(*(changes[name].to_pylist() for name in ("position", "before", "after")), strict=True)
    return {position: (number(before), number(after)) for position, before, after in rows}


def number(text: str | None) -> float | None:
    return None if text is None else float(text)


def differences(
    asked: Sequence[tuple[str, datetime]], held: Sequence[Stated], restated: Sequence[Stated], *, always: bool
) -> dict[int, tuple[float | None, float | None]]:
    """Answer each row from plain lists, without the restated rows and with them."""
    by_entity: dict[str, tuple[list[Stated], list[Stated]]] = {}
    for side, rows in enumerate((held, restated)):
        for row in rows:
            by_entity.setdefault(row.entity, ([], []))[side].append(row)
    changed = {}
    for position, (entity, time) in enumerate(asked):
        own, new = by_entity.get(entity, ([], []))
        past = [row for row in own if row.known <= time]
        added = [row for row in new if always or row.known <= time]
        before, after = newest(past, time), newest([*past, *added], time)
        if before != after:
            changed[position] = (before, after)
    return changed


def newest(rows: Sequence[Stated], time: datetime) -> float | None:
    past = [row for row in rows if row.event <= time]
    return max(past, key=lambda row: (row.event, row.known, row.seq)).value if past else None
