"""The maintenance function over Glue and S3 (moto's, in this process): what it does, and what it must not."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws
from pyiceberg.catalog import Catalog

from tests.support.boto_files import BotoFileIO, s3_client
from vintner.aws import catalog as aws_catalog
from vintner.aws import maintenance
from vintner.aws.catalog import open_glue_catalog
from vintner.aws.maintenance import (
    OWN,
    MaintenanceEvent,
    MaintenanceEventError,
    MaintenanceFailedError,
    MaintenanceSettings,
)
from vintner.aws.settings import SettingsError
from vintner.aws.stored import FilesNotRemovedError, list_files, remove_files, stored_files
from vintner.datasets import DATASETS
from vintner.lake import LakeReader, UnknownRevisionError, land_facts, load_table, migrate
from vintner.lake.handle import Lake
from vintner.lake.revisions import audit_draft, draft_rows, publish_draft, reproduce
from vintner.marketdata import MACRO_SERIES

BUCKET, WAREHOUSE, DATABASE = "vintner-test-lake", "s3://vintner-test-lake/lake", "vintner_test"
T0 = datetime(2025, 1, 1, tzinfo=UTC)
ALL = {*DATASETS, *OWN}
LIMITS = {"FEW": "5", "KEEP_FOR_DAYS": "2", "KEEP_LAST": "1", "SAFE_AGE_HOURS": "24", "RESERVE_SECONDS": "30"}
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "lake-maintenance",
    "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
    "VINTNER_ENVIRONMENT": "test",
    "VINTNER_GLUE_DATABASE": DATABASE,
    "VINTNER_WAREHOUSE": WAREHOUSE,
    "VINTNER_ONLINE_TABLE": "vintner-test-online",
    **{f"VINTNER_MAINTENANCE_{name}": value for name, value in LIMITS.items()},
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_GLUE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws_catalog, "LakeFileIO", BotoFileIO)
    s3_client.cache_clear()
    with mock_aws():
        where = {"LocationConstraint": "eu-west-1"}
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        yield


@pytest.fixture
def catalog(account: None) -> Catalog:
    boto3.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    catalog = open_glue_catalog("eu-west-1", warehouse=WAREHOUSE)
    migrate(catalog, DATABASE, WAREHOUSE, DATASETS.values())
    return catalog


def fact(number: int) -> dict[str, Any]:
    clocks = {"event_time": T0, "knowledge_time": T0 + timedelta(days=number), "revision_seq": 0}
    return {
        "entity": "s",
        **clocks,
        "op": "upsert",
        "value": float(number),
        "source": "t",
        "record_id": f"s/0/{number}/0",
    }


def land(catalog: Catalog, *numbers: int) -> None:
    for number in numbers:
        load = partial(load_table, catalog, DATABASE, MACRO_SERIES.name)
        land_facts(load, MACRO_SERIES, [fact(number)], checkpoints={"s/0": number}, clock=lambda: datetime.now(UTC))


def read(catalog: Catalog, **pins: Any) -> pa.Table:
    return LakeReader(catalog, DATABASE).read(MACRO_SERIES, **pins).sort_by("knowledge_time")


def data_files(catalog: Catalog) -> list[str]:
    tasks = load_table(catalog, DATABASE, MACRO_SERIES.name).scan().plan_files()
    return [task.file.file_path for task in tasks]


def call(event: Any, seconds: list[int] | None = None) -> Any:
    """Call the function with so many seconds left each time it asks, the last ones for ever."""
    left = seconds or [900]
    context = SimpleNamespace(
        function_name="vintner-test-lake-maintenance",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:vintner-test-lake-maintenance",
        aws_request_id="7f3f2b1e-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: 1000 * (left.pop(0) if len(left) > 1 else left[0]),
    )
    return importlib.import_module("functions.lake_maintenance.handler").handler(event, context)


def metrics(out: str) -> dict[str, float]:
    (told,) = [found for line in out.splitlines() if "_aws" in (found := json.loads(line))]
    (group,) = told["_aws"]["CloudWatchMetrics"]
    assert (group["Namespace"], sorted(group["Dimensions"][0])) == ("Vintner", ["environment", "service"])
    assert (told["environment"], told["service"]) == ("test", "lake-maintenance")
    return {one["Name"]: told[one["Name"]][0] for one in group["Metrics"]}


@pytest.fixture
def in_ten_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_now", lambda: datetime.now(UTC) + timedelta(days=10))


def snapshot(catalog: Catalog) -> int:
    head = load_table(catalog, DATABASE, MACRO_SERIES.name).current_snapshot()
    assert head is not None
    return head.snapshot_id


def test_small_files_and_orphans_go_and_no_read_changes(
    catalog: Catalog, in_ten_days: None, capsys: pytest.CaptureFixture[str]
) -> None:
    land(catalog, 1, 2, 3, 4, 5, 6)
    s3, lost, neighbour = boto3.client("s3"), "macro_series/data/lost.parquet", "macro_series_of_another/kept.parquet"
    for name in (lost, neighbour):
        s3.put_object(Bucket=BUCKET, Key=f"lake/{name}", Body=b"0123456789")
    before, cut, small = read(catalog), read(catalog)["ingested_at"][3].as_py(), data_files(catalog)
    at_cut, there = read(catalog, ingested_to=cut), list(stored_files(WAREHOUSE))
    assert (before.num_rows, at_cut.num_rows, len(small)) == (6, 4, 6)

    answer = call({})

    assert (set(answer["done"]), answer["left"], answer["failed"]) == (ALL, [], {})
    assert read(catalog).equals(before)
    assert read(catalog, ingested_to=cut).equals(at_cut)
    stored = set(list_files(WAREHOUSE))
    assert len(data_files(catalog)) == 1
    assert stored & {*small, f"{WAREHOUSE}/{lost}", f"{WAREHOUSE}/{neighbour}"} == {f"{WAREHOUSE}/{neighbour}"}
    measured, table = metrics(capsys.readouterr().out), answer["tables"]["macro_series"]
    assert (measured["FilesCompacted"], measured["SnapshotsExpired"]) == (6, 6)
    gone = [file.bytes for file in there if file.location not in stored]
    assert measured["FilesRemoved"] == table["files_removed"] >= len(gone) > 7
    assert measured["BytesRemoved"] == table["bytes_removed"] >= sum(gone) > 10
    assert (measured["Failures"], measured["TablesLeft"]) == (0, 0)
    assert call({})["tables"]["macro_series"]["files_compacted"] == 0


def test_what_was_published_stays_readable(catalog: Catalog, in_ten_days: None) -> None:
    land(catalog, 1, 2)
    lake = Lake(catalog, DATABASE, lambda: datetime.now(UTC))
    draft_rows(lake, MACRO_SERIES, "first", [fact(3)])
    audit = audit_draft(lake, MACRO_SERIES, "first")
    published = publish_draft(lake, MACRO_SERIES, audit, as_of=T0 + timedelta(days=3), author="ann", reason="test")
    pinned, kept = snapshot(catalog), data_files(catalog)
    land(catalog, 4, 5, 6)
    unpinned = snapshot(catalog)
    land(catalog, 7)
    assert call({"tables": ["macro_series"]})["tables"]["macro_series"]["files_compacted"] == 7
    assert set(kept) <= set(list_files(WAREHOUSE))
    assert read(catalog, revision=pinned)["value"].to_pylist() == [1.0, 2.0, 3.0]
    assert reproduce(lake, MACRO_SERIES, as_of=published.as_of, revision_seq=published.revision_seq).num_rows == 3
    with pytest.raises(UnknownRevisionError):
        read(catalog, revision=unpinned)


def test_what_is_young_stays_and_only_what_is_named_is_touched(catalog: Catalog) -> None:
    land(catalog, 1, 2, 3, 4, 5)
    small = data_files(catalog)
    assert call({"tables": ["prices_daily"]})["done"] == ["prices_daily"]
    assert data_files(catalog) == small
    answer = call({"tables": ["macro_series"]})
    assert answer["done"] == ["macro_series"]
    assert answer["tables"]["macro_series"] == {
        "files_compacted": 5,
        "snapshots_expired": 0,
        "files_removed": 0,
        "bytes_removed": 0,
    }
    assert {*small, *data_files(catalog)} <= set(list_files(WAREHOUSE))


def test_out_of_time_it_stops_between_two_steps_and_says_what_is_left(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    land(catalog, 1, 2, 3, 4, 5)
    # Asked before each step: compaction and expiry begin, the removal of orphans does not.
    answer = call({"tables": ["macro_series", "prices_daily"]}, seconds=[100, 30, 29])
    assert (answer["done"], answer["left"]) == ([], ["macro_series", "prices_daily"])
    assert answer["tables"]["macro_series"]["files_compacted"] == 5
    assert len(data_files(catalog)) == 1
    assert metrics(capsys.readouterr().out)["TablesLeft"] == 2
    assert call({"tables": answer["left"]})["left"] == []


def test_a_table_that_fails_is_told_and_the_others_are_maintained(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    land(catalog, 1, 2, 3, 4, 5)
    boto3.client("glue").delete_table(DatabaseName=DATABASE, Name="instruments")
    with pytest.raises(MaintenanceFailedError, match="migrate") as caught:
        call({})
    assert list(caught.value.data["failed"]) == ["instruments"]
    assert set(caught.value.data["done"].split(", ")) == ALL - {"instruments"}
    measured = metrics(capsys.readouterr().out)
    assert (measured["Failures"], measured["TablesLeft"], measured["FilesCompacted"]) == (1, 0, 5)


@pytest.mark.parametrize(
    "event", [{"tables": []}, {"tables": ["macro_series", "nothing"]}, {"tables": "macro_series"}, {"table": []}, []]
)
def test_an_event_that_asks_for_something_else_is_refused(account: None, event: Any) -> None:
    with pytest.raises(MaintenanceEventError, match=r"macro_series.*quarantine"):
        call(event)


def test_every_table_is_first_on_some_day_and_there_on_all_of_them() -> None:
    days = [MaintenanceEvent().rounds(T0 + timedelta(days=day)) for day in range(len(DATASETS) + 1)]
    assert {rounds[0] for rounds in days} == {OWN, *((name,) for name in DATASETS)}
    assert all({name for names in rounds for name in names} == ALL for rounds in days)


@pytest.mark.parametrize(
    ("name", "value"), [("FEW", "1"), ("KEEP_LAST", "0"), ("SAFE_AGE_HOURS", "a day"), ("FEW", None)]
)
def test_settings_that_are_missing_or_wrong_are_named(name: str, value: str | None) -> None:
    variable = f"VINTNER_MAINTENANCE_{name}"
    environ = {key: text for key, text in (VARIABLES | {variable: value}).items() if text is not None}
    with pytest.raises(SettingsError, match=variable):
        MaintenanceSettings.from_environment(environ)


def test_files_are_listed_by_folder_and_removed_once(account: None) -> None:
    s3 = boto3.client("s3")
    keys = ["lake/a/x=1/1.parquet", "lake/a/what?#é.avro", "lake/ab/2.parquet"]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"abc")
    locations = [f"s3://{BUCKET}/{key}" for key in keys]
    for location in (f"{WAREHOUSE}/a", f"{WAREHOUSE}/a/"):
        assert sorted(file.location for file in stored_files(location)) == sorted(locations[:2])
    assert {file.bytes for file in stored_files(WAREHOUSE)} == {3}
    assert all(file.modified_at.tzinfo for file in stored_files(WAREHOUSE))
    remove_files([])
    for _ in range(2):
        remove_files(locations[:2])
    assert [file.location for file in stored_files(f"s3://{BUCKET}")] == locations[2:]


def test_a_file_that_may_not_be_removed_is_named(account: None) -> None:
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="lake/a", Body=b"abc")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    with pytest.raises(FilesNotRemovedError, match=r"1 files.*lake/a"):
        remove_files([f"s3://{BUCKET}/lake/a"])
