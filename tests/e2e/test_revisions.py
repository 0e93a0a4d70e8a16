"""Write, audit, publish over the ground's Glue catalog and S3: conditional commits, lost answers, writers at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog

from local.ground import Deployment
from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.lake import Column, CommitRefusedError, Dataset, LakeReader, Layout, land_facts, migrate
from vintner.lake.errors import MainMovedError
from vintner.lake.handle import Lake
from vintner.lake.maintenance import compact, expire
from vintner.lake.revisions import (
    RevisionRecord,
    audit_draft,
    draft_rows,
    drafts_of,
    publish_draft,
    rebase_draft,
    reproduce,
    revision_records,
    roll_back,
    verify_chain,
)

T0 = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)


def dataset(name: str) -> Dataset:
    columns = (Column(name="value", type=pa.float64(), doc="Value."),)
    return Dataset(name=name, doc=name, stream="e2e", columns=columns, layout=Layout.YEAR_OF_KNOWLEDGE)


@pytest.fixture
def lake(environment: None, platform: Deployment) -> Lake:
    settings = Settings.from_environment()
    return Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC))


def made(lake: Lake, name: str) -> Dataset:
    declared = dataset(name)
    migrate(lake.catalog, lake.database, Settings.from_environment().warehouse, [declared])
    return declared


def facts(*names: str, value: float = 1.0, known: int = 0) -> list[dict[str, Any]]:
    clocks = {"event_time": T0, "knowledge_time": T0 + timedelta(days=known), "revision_seq": 0, "op": "upsert"}
    return [
        {"entity": name, **clocks, "value": value, "source": "e2e", "record_id": f"e/0/{place}/0"}
        for place, name in enumerate(names, 1)
    ]


def stream(lake: Lake, declared: Dataset, *names: str) -> None:
    load = lake.loader(declared.name)
    land_facts(load, declared, facts(*names), checkpoints={f"e/{names[0]}": 1}, clock=lake.clock)


def publish(lake: Lake, declared: Dataset, draft: str) -> RevisionRecord:
    """Publish a draft however often main moves meanwhile."""
    for _ in range(30):
        audit = audit_draft(lake, declared, draft)
        try:
            return publish_draft(lake, declared, audit, as_of=AS_OF, author="e2e", reason="r")
        except MainMovedError:
            rebase_draft(lake, declared, draft)
    pytest.fail("main never stood still")


def entities(lake: Lake, declared: Dataset, **pin: Any) -> list[str]:
    return sorted(LakeReader(lake.catalog, lake.database).read(declared, **pin)["entity"].to_pylist())


def test_a_revision_is_published_reproduced_compacted_and_taken_back(lake: Lake) -> None:
    declared = made(lake, "e2e_revisions")
    draft_rows(lake, declared, "one", facts("a", "b"))
    assert entities(lake, declared) == []
    first = publish(lake, declared, "one")
    stream(lake, declared, "s")
    settled = LakeReader(lake.catalog, lake.database).settled_to(declared)
    draft_rows(lake, declared, "two", facts("a", value=9.0, known=1))
    publish(lake, declared, "two")
    content = [reproduce(lake, declared, as_of=AS_OF, revision_seq=number) for number in (0, 1)]
    assert [done.rows for done in compact(lake, declared.name, sort=declared.sort_names, few=2)] == [4]
    back = roll_back(lake, declared, as_of=AS_OF, revision_seq=0, author="e2e", reason="r")
    assert (back.revision_seq, entities(lake, declared)) == (2, ["a", "b"])
    assert entities(lake, declared, revision=first.tag) == ["a", "b"]
    assert entities(lake, declared, ingested_to=settled) == ["a", "b", "s"]
    pinned = {one.snapshot_id for one in revision_records(lake) if one.snapshot_id is not None}
    expire(lake, declared.name, pinned=pinned, keep_for=timedelta(0), keep_last=1)
    again = [reproduce(lake, declared, as_of=AS_OF, revision_seq=number) for number in (0, 1)]
    assert [one.equals(other) for one, other in zip(again, content, strict=True)] == [True, True]
    assert entities(lake, declared, ingested_to=settled) == ["a", "b", "s"]
    assert verify_chain(lake) == len(revision_records(lake))


def test_a_publish_whose_answer_is_lost_is_recognised(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = made(lake, "e2e_lost_answers")
    draft_rows(lake, declared, "one", facts("a"))
    commit, calls = type(lake.catalog).commit_table, []

    def deaf(self: Catalog, *arguments: Any) -> Any:
        calls.append(commit(self, *arguments))
        if len(calls) == 1:
            raise TimeoutError("no answer")
        return calls[-1]

    monkeypatch.setattr(type(lake.catalog), "commit_table", deaf)
    revision = publish(lake, declared, "one")
    assert (revision.revision_seq, len(calls)) == (0, 2), "one commit of the dataset, one of the record"
    assert entities(lake, declared) == ["a"]
    assert drafts_of(lake.load(declared.name)) == []


def test_streams_and_publishers_at_once_lose_and_double_nothing(lake: Lake) -> None:
    declared = made(lake, "e2e_at_once")

    def write(writer: int) -> None:
        for turn in range(4):
            insist(partial(stream, lake, declared, f"stream-{writer}-{turn}", "shared"))

    def load(writer: int) -> None:
        draft = f"bulk-{writer}"
        insist(lambda: draft_rows(lake, declared, draft, facts(f"{draft}-a", f"{draft}-b", "shared")))
        insist(lambda: publish(lake, declared, draft))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, writer) for writer in (0, 1) for work in (write, load)]:
            done.result()
    streamed = [f"stream-{writer}-{turn}" for writer in (0, 1) for turn in range(4)]
    loaded = [f"bulk-{writer}-{place}" for writer in (0, 1) for place in "ab"]
    assert entities(lake, declared) == sorted(["shared", *streamed, *loaded])
    revisions = revision_records(lake, declared.name)
    assert [one.revision_seq for one in revisions] == [0, 1]
    for one in revisions:
        assert reproduce(lake, declared, as_of=AS_OF, revision_seq=one.revision_seq).num_rows == one.rows


def insist(what: Callable[[], Any]) -> None:
    """Do it again when other writers won every attempt, as whoever called would."""
    for _ in range(10):
        try:
            what()
        except CommitRefusedError:
            continue
        return
    pytest.fail("the others never let go")
