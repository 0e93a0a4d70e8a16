"""The lake from the command line: draft, audit, publish, look, go back, reproduce, maintain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, open_memory_catalog
from vintner.aws import __main__ as commands
from vintner.aws import lake_commands
from vintner.datasets import DATASETS
from vintner.lake import LakeReader, land_facts, load_table, migrate
from vintner.marketdata import MACRO_SERIES

T0 = datetime(2025, 1, 1, tzinfo=UTC)
CUT = "2025-12-31T00:00:00+00:00"
SAID = ["--dataset", "macro_series", "--as-of", CUT]
BY = ["--author", "ann", "--reason", "vendor file"]


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, DATASETS.values())
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "VINTNER_ENVIRONMENT": "test",
        "VINTNER_GLUE_DATABASE": DATABASE,
        "VINTNER_WAREHOUSE": "s3://lake/lake",
        "VINTNER_ONLINE_TABLE": "online",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(commands, "open_catalog", lambda _: catalog)
    monkeypatch.setattr(lake_commands, "stored_files", lambda location: catalog.disk.stored(location))
    monkeypatch.setattr(lake_commands, "remove_files", lambda names: catalog.disk.remove(names))
    yield catalog
    catalog.close()


Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(catalog: MemoryCatalog, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> list[dict[str, Any]]:
        assert commands.main([*arguments, "--json"]) == 0, capsys.readouterr().err
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    return run


def fact(entity: str, value: float, known: int = 0) -> dict[str, Any]:
    clocks = {"event_time": T0, "knowledge_time": T0 + timedelta(days=known), "revision_seq": 0}
    return {"entity": entity, **clocks, "op": "upsert", "value": value}


def file_of(folder: Path, *rows: dict[str, Any]) -> str:
    stated = [field for field in MACRO_SERIES.schema if field.name not in ("ingested_at", "source", "record_id")]
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema(stated)), path)
    return str(path)


def stream(catalog: MemoryCatalog, entity: str) -> None:
    row = {**fact(entity, 1.0), "source": "t", "record_id": "s/0/1/0"}
    load = lambda: load_table(catalog, DATABASE, "macro_series")  # noqa: E731
    land_facts(load, MACRO_SERIES, [row], checkpoints={}, clock=catalog.disk.clock)


def values(catalog: MemoryCatalog) -> dict[str, float]:
    found = LakeReader(catalog, DATABASE).read(MACRO_SERIES).to_pylist()
    return {row["entity"]: row["value"] for row in found}


def test_from_a_file_to_a_revision_and_back(catalog: MemoryCatalog, run: Run, tmp_path: Path) -> None:
    where = ["--dataset", "macro_series", "--draft", "one"]
    (drafted,) = run("draft", *where, "--file", file_of(tmp_path, fact("a", 1.0), fact("b", 2.0)))
    assert drafted == {"dataset": "macro_series", "draft": "one", "kept": 2, "repeated": 0}
    assert [(row["draft"], row["added"]) for row in run("drafts")] == [("one", 2)]
    assert values(catalog) == {}
    (first,) = run("publish", *where, "--as-of", CUT, *BY)
    assert (first["seq"], first["rows"], first["author"]) == (0, 2, "ann")
    assert run("publish", *where, "--as-of", CUT, *BY) == [first], "a publisher that died is run again"
    two = ["--dataset", "macro_series", "--draft", "two"]
    run("draft", *two, "--file", file_of(tmp_path, fact("a", 1.5, known=3)))
    audit, *moves = run("audit", *two)
    assert (audit["revised"], audit["findings"]) == (1, "none")
    assert {(move["entity"], move["before"], move["after"]) for move in moves} == {("a", 1.0, 1.5)}
    stream(catalog, "s")
    assert commands.main(["publish", *two, "--as-of", CUT, *BY]) == 1
    (second,) = run("publish", *two, "--as-of", CUT, *BY, "--rebase")
    assert second["seq"] == 1
    (back,) = run("rollback", *SAID, "--seq", "0", *BY)
    assert (back["seq"], back["kind"], values(catalog)) == (2, "rollback", {"a": 1.0, "b": 2.0})
    listed = run("revisions", "--verify")
    assert [(row["seq"], row["tagged"]) for row in listed] == [(0, True), (1, True), (2, True)]
    out = tmp_path / "revision.parquet"
    (told,) = run("reproduce", *SAID, "--seq", "1", "--file", str(out))
    assert told["rows"] == pq.read_table(out).num_rows == 4
    assert told["content_hash"].startswith(second["content_hash"])


def test_lineage_is_the_file_and_the_place_in_it(catalog: MemoryCatalog, run: Run, tmp_path: Path) -> None:
    path = file_of(tmp_path, fact("a", 1.0), fact("b", 2.0))
    run("draft", "--dataset", "macro_series", "--draft", "one", "--file", path)
    found = LakeReader(catalog, DATABASE).read(MACRO_SERIES, revision="draft-one").sort_by("entity")
    assert found["source"].to_pylist() == [Path(path).name] * 2
    assert found["record_id"].to_pylist() == ["draft/one/0/0", "draft/one/1/0"]
    assert run("abandon", "--dataset", "macro_series", "--draft", "one")[0]["abandoned"]
    assert run("drafts") == []


def test_maintenance_tells_each_thing_it_does(catalog: MemoryCatalog, run: Run) -> None:
    for entity in "abcdef":
        stream(catalog, entity)
    catalog.disk.now += timedelta(days=30)
    stream(catalog, "g")
    before = values(catalog)
    done = run("maintain", "--dataset", "macro_series", "--few", "2", "--keep-days", "0", "--keep-last", "1")
    mine = {row["step"]: row["done"] for row in done if row["table"] == "macro_series"}
    assert mine["compacted"].startswith("7 files with 7 rows became one")
    assert mine["expired"] == "7 snapshots expired, 1 kept"
    assert {row["table"] for row in done} == {"macro_series", "quarantine", "revisions"}
    assert values(catalog) == before


def test_what_cannot_be_done_is_said_and_nothing_is_printed(
    catalog: MemoryCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (["rollback", "--dataset", "macro_series", "--as-of", "2025-12-31", "--seq", "0", *BY], "with an offset"),
        (["rollback", *SAID, "--seq", "0", *BY], "no revision 2025-12-31T00:00:00+00:00 #0"),
        (["audit", "--dataset", "nothing", "--draft", "d"], "nothing"),
        (["audit", "--dataset", "macro_series", "--draft", "d"], "has no draft d"),
        (["maintain", "--safe-hours", "0.5"], "at least 1:00:00"),
    ):
        assert commands.main(arguments) == 1
        out, err = capsys.readouterr()
        assert said in err.splitlines()[-1]
        assert out == ""


def test_a_table_for_people(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["revisions"]) == 0
    assert capsys.readouterr().out == "nothing to tell\n"
    text = lake_commands.aligned(
        [{"name": "a", "ok": True, "rows": 1234}, {"name": "bb", "ok": False, "rows": 5}, {"x": 0.5}]
    )
    assert text.splitlines() == ["name  ok    rows", "a     yes  1,234", "bb    no       5", "", "  x", "0.5"]
