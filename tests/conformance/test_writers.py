"""One table, four writers at once: two of the library, Trino and Spark. Then maintenance by both engines.

The tests of this file go on from one another: what the first one wrote is what the others maintain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from local.athena import Cancellation, DuckDbEngine, Statement
from local.athena.results import ResultSet
from local.athena.statements import kind_of
from local.ground import Ground
from local.spark import CATALOG, Spark
from local.trino import TrinoClient, TrinoEngine
from tests.conformance.conftest import Stage
from tests.support.bare_ground import NAMES
from vintner.bitemporal import as_of
from vintner.bitemporal.content import content_hash
from vintner.bitemporal.sql import Dialect, SqlReads, SqlTable
from vintner.lake import (
    Column,
    CommitRefusedError,
    Dataset,
    LakeReader,
    Layout,
    Ledger,
    land_facts,
    load_table,
    migrate,
)

DATASET = Dataset(
    name="written_by_all",
    doc="Facts that every engine writes to.",
    stream="macro_data",
    columns=(Column(name="value", type=pa.float64(), doc="A number.", required=True),),
    layout=Layout.YEAR_OF_KNOWLEDGE,
    # Four writers meet here without pause: each may have to begin anew more often than four times.
    properties={"commit.retry.num-retries": "60", "commit.retry.max-wait-ms": "500"},
)
DATABASE = NAMES.glue_database
COLUMNS = ", ".join(DATASET.schema.names)
ROUNDS, BATCH = 4, 5
WRITERS = ("library-a", "library-b", "trino", "spark")
START = datetime(2024, 1, 1, tzinfo=UTC)


def fact(writer: str, number: int) -> dict[str, Any]:
    event = START + timedelta(days=number % 7)
    return {
        "entity": f"{writer}.{number % 3}",
        "event_time": event,
        "knowledge_time": event + timedelta(days=1, microseconds=number),
        "revision_seq": number,
        "op": "delete" if number % 11 == 10 else "upsert",
        "ingested_at": START + timedelta(days=400),
        "value": None if number % 11 == 10 else number / 8,
        "source": writer,
        "record_id": f"{writer}/0/{number}/0",
    }


def batches(writer: str) -> list[list[dict[str, Any]]]:
    return [[fact(writer, at * BATCH + each) for each in range(BATCH)] for at in range(ROUNDS)]


def literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f} UTC'"
    if value is None:
        return "CAST(NULL AS double)"
    return (
        f"CAST({value} AS double)"
        if isinstance(value, float)
        else f"'{value}'"
        if isinstance(value, str)
        else str(value)
    )


def insert(rows: list[dict[str, Any]]) -> str:
    values = ", ".join("(" + ", ".join(literal(row[name]) for name in DATASET.schema.names) + ")" for row in rows)
    return f"INSERT INTO {DATASET.name} ({COLUMNS}) VALUES {values}"  # noqa: S608 - rows of our own


def table(catalog: Catalog) -> Table:
    return load_table(catalog, DATABASE, DATASET.name)


def land(catalog: Catalog, writer: str, rows: list[dict[str, Any]]) -> int:
    """Land a batch as a consumer of one shard does, which tries for ever; return how many of its rows were new."""
    last = {f"{writer}/0": int(rows[-1]["record_id"].split("/")[2])}
    while True:
        try:
            kept = land_facts(lambda: table(catalog), DATASET, rows, checkpoints=last, clock=lambda: START).kept
        except CommitRefusedError:  # the others were quicker eight times
            continue
        return len(kept)


def athena(engine: DuckDbEngine | TrinoEngine, text: str) -> list[list[str | None]]:
    statement = Statement(text=text, kind=kind_of(text), database=DATABASE)
    return ResultSet.from_engine(engine.run(statement, Cancellation())).rows


@pytest.fixture(scope="module", autouse=True)
def made(catalog: Catalog, spark: Spark) -> None:
    migrate(catalog, DATABASE, NAMES.warehouse, [DATASET])
    spark.sql(f"USE {DATABASE}")


def writers(catalog: Catalog, trino: TrinoClient, spark: Spark) -> dict[str, Callable[[list[dict[str, Any]]], Any]]:
    return {
        "library-a": lambda rows: land(catalog, "library-a", rows),
        "library-b": lambda rows: land(catalog, "library-b", rows),
        "trino": lambda rows: trino.run(insert(rows)),
        "spark": lambda rows: spark.sql(insert(rows)),
    }


def test_four_writers_at_once_lose_nothing(catalog: Catalog, trino: TrinoClient, spark: Spark) -> None:
    ready = threading.Barrier(len(WRITERS))
    failed: dict[str, BaseException] = {}

    def write(writer: str, put: Callable[[list[dict[str, Any]]], Any]) -> None:
        try:
            ready.wait(60)
            for rows in batches(writer):
                put(rows)
        except BaseException as error:  # noqa: BLE001 - told below
            failed[writer] = error

    threads = [threading.Thread(target=write, args=each) for each in writers(catalog, trino, spark).items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == {}
    rows = table(catalog).scan().to_arrow().to_pylist()
    expected = [fact(writer, number) for writer in WRITERS for number in range(ROUNDS * BATCH)]
    stored = [{**row, "ingested_at": None} for row in rows]
    assert sorted(map(key, stored)) == sorted(map(key, expected))
    assert {row["record_id"]: row["value"] for row in rows} == {row["record_id"]: row["value"] for row in expected}


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in DATASET.version_key)


def test_the_ledger_is_readable_through_commits_of_others(catalog: Catalog, trino: TrinoClient, spark: Spark) -> None:
    trino.run(insert([fact("trino", 1000)]))
    spark.sql(insert([fact("spark", 1000)]))
    assert dict(Ledger.of(table(catalog)).checkpoints) == {f"{each}/0": ROUNDS * BATCH - 1 for each in WRITERS[:2]}
    assert [land(catalog, "library-a", rows) for rows in batches("library-a")] == [0] * ROUNDS


def test_every_engine_reads_the_same(
    catalog: Catalog, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine, trino: TrinoClient, spark: Spark
) -> None:
    facts = LakeReader(catalog, DATABASE).read(DATASET)
    for at in (START + timedelta(days=3), START + timedelta(days=30)):
        expected = as_of(facts, at=at)
        names = expected.schema.names
        asked = SqlTable.of(DATASET.name, DATASET.schema)
        text = SqlReads(Dialect.ATHENA).as_of(asked, at=at).text
        assert athena(duckdb_engine, text) == athena(trino_engine, text)
        for answer in (trino.run(text).table, spark.sql(SqlReads(Dialect.SPARK).as_of(asked, at=at).text)):
            assert answer.select(names).to_pylist() == expected.to_pylist()
        assert expected.num_rows > 0


@pytest.fixture(scope="module")
def pinned(catalog: Catalog) -> tuple[str, bytes]:
    """A tagged revision and the bytes it reads as."""
    current = table(catalog).current_snapshot()
    assert current is not None
    table(catalog).manage_snapshots().create_tag(current.snapshot_id, "r1").commit()
    return "r1", image(catalog, "r1")


def image(catalog: Catalog, revision: str | None = None) -> bytes:
    """Return the bytes of a read, its rows in the order of their keys."""
    rows = LakeReader(catalog, DATABASE).read(DATASET, revision=revision)
    ordered = rows.sort_by([(name, "ascending") for name in DATASET.version_key]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ordered.schema) as stream:
        stream.write_table(ordered)
    return bytes(sink.getvalue())


def as_spark(statement: str) -> str:
    return f"CALL {CATALOG}.system.{statement}"


MAINTENANCE = {
    "spark: rewrite_data_files": as_spark(
        f"rewrite_data_files(table => '{DATABASE}.{DATASET.name}', options => map('min-input-files', '2'))"
    ),
    "spark: rewrite_manifests": as_spark(f"rewrite_manifests('{DATABASE}.{DATASET.name}')"),
    "trino: OPTIMIZE": f"OPTIMIZE {DATASET.name} REWRITE DATA USING BIN_PACK",
}


@pytest.mark.parametrize("name", MAINTENANCE)
def test_compaction_by_an_engine_changes_no_row(
    name: str, catalog: Catalog, pinned: tuple[str, bytes], trino: TrinoClient, trino_engine: TrinoEngine, spark: Spark
) -> None:
    for number, writer in enumerate(("trino", "spark"), start=2000 + 10 * list(MAINTENANCE).index(name)):
        writers(catalog, trino, spark)[writer]([fact(writer, number)])
    ledger = Ledger.of(table(catalog))
    before, files = image(catalog), len(list(table(catalog).scan().plan_files()))
    if name.startswith("spark"):
        spark.sql(MAINTENANCE[name])
    else:
        athena(trino_engine, MAINTENANCE[name])
    assert image(catalog) == before
    assert image(catalog, pinned[0]) == pinned[1]
    assert Ledger.of(table(catalog)) == ledger
    if "manifests" not in name:
        assert len(list(table(catalog).scan().plan_files())) < files


def test_a_branch_is_published_by_sparks_fast_forward(
    catalog: Catalog, pinned: tuple[str, bytes], trino: TrinoClient, spark: Spark
) -> None:
    spark.sql(f"ALTER TABLE {DATASET.name} CREATE BRANCH audited")
    rows = [fact("library-a", number) for number in range(3000, 3005)]
    ledger = Ledger.of(table(catalog))
    table(catalog).append(pa.Table.from_pylist(rows, schema=DATASET.schema), branch="audited")
    before = image(catalog)
    trinos = trino.run(f"SELECT count(*) FROM {DATASET.name} FOR VERSION AS OF 'audited'").table  # noqa: S608
    spark.sql(as_spark(f"fast_forward('{DATABASE}.{DATASET.name}', 'main', 'audited')"))
    spark.sql(f"ALTER TABLE {DATASET.name} DROP BRANCH audited")
    found = table(catalog).scan().to_arrow()
    assert image(catalog) != before
    assert trinos.column(0).to_pylist() == [found.num_rows]
    assert Ledger.of(table(catalog)).checkpoints == ledger.checkpoints
    assert image(catalog, pinned[0]) == pinned[1]


def test_expiry_and_orphan_removal_by_engines_spare_what_is_tagged(
    stage: Stage,
    catalog: Catalog,
    pinned: tuple[str, bytes],
    trino: TrinoClient,
    duckdb_engine: DuckDbEngine,
    trino_engine: TrinoEngine,
    spark: Spark,
) -> None:
    name = f"{DATABASE}.{DATASET.name}"
    orphan = plant_orphan(stage.ground, catalog)
    before, many = image(catalog), len(table(catalog).metadata.snapshots)
    spark.sql(
        as_spark(
            f"expire_snapshots(table => '{name}', older_than => timestamp '2100-01-01 00:00:00', retain_last => 5)"
        )
    )
    few = len(table(catalog).metadata.snapshots)
    trino.run(f"ALTER TABLE {DATASET.name} EXECUTE expire_snapshots(retention_threshold => '0s')")
    assert many > few > len(table(catalog).metadata.snapshots) >= 2
    # Spark keeps to what is older than three days, and nothing here is.
    assert spark.sql(as_spark(f"remove_orphan_files(table => '{name}', prefix_listing => true)")).num_rows == 0
    assert exists(stage.ground, orphan)
    trino.run(f"ALTER TABLE {DATASET.name} EXECUTE remove_orphan_files(retention_threshold => '0s')")
    assert not exists(stage.ground, orphan)
    assert athena(trino_engine, f"VACUUM {DATASET.name}") == []
    assert image(catalog) == before
    assert image(catalog, pinned[0]) == pinned[1]
    tagged = f"SELECT {COLUMNS} FROM {DATASET.name} FOR VERSION AS OF 'r1' ORDER BY record_id"  # noqa: S608
    assert athena(duckdb_engine, tagged) == athena(trino_engine, tagged)
    sparks = spark.sql(tagged.replace("FOR VERSION AS OF", "VERSION AS OF")).cast(DATASET.schema)
    pythons = LakeReader(catalog, DATABASE).read(DATASET, revision="r1").sort_by("record_id")
    assert content_hash(sparks) == content_hash(trino.run(tagged).table.cast(DATASET.schema)) == content_hash(pythons)


def plant_orphan(ground: Ground, catalog: Catalog) -> tuple[str, str]:
    """Leave a data file that no snapshot names; return its bucket and key."""
    bucket, _, folder = table(catalog).location().removeprefix("s3://").partition("/")
    key_ = f"{folder}/data/left-behind.parquet"
    ground.client("s3").put_object(Bucket=bucket, Key=key_, Body=b"PAR1")
    return bucket, key_


def exists(ground: Ground, where: tuple[str, str]) -> bool:
    bucket, prefix = where
    return bool(ground.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"))


def test_what_was_landed_before_maintenance_is_still_known(catalog: Catalog) -> None:
    """Whatever the engines left of the ledger, a batch that is sent again adds nothing."""
    assert [land(catalog, writer, rows) for writer in WRITERS[:2] for rows in batches(writer)] == [0] * (2 * ROUNDS)
