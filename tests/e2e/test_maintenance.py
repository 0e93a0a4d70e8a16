"""The lake maintained where it is deployed: by its schedule, under its own role, while nobody's read changes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import botocore.exceptions
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog

from local.ground import Deployment, Ground
from vintner.aws.catalog import open_catalog
from vintner.aws.maintenance import OWN
from vintner.aws.settings import Settings
from vintner.datasets import DATASETS
from vintner.lake import LakeReader, land_facts, load_table
from vintner.marketdata import MACRO_SERIES

START = datetime(1990, 1, 1, tzinfo=UTC)
COMMITS = 6


@pytest.fixture(scope="module")
def catalog(environment: None) -> Catalog:
    return open_catalog(Settings.from_environment())


def land(catalog: Catalog, platform: Deployment, number: int) -> None:
    clocks = {"event_time": START, "knowledge_time": START + timedelta(hours=number), "revision_seq": 0}
    origin = {"source": "e2e", "record_id": f"upkeep/0/{number}/0"}
    row = {"entity": "upkeep", **clocks, "op": "upsert", "value": float(number), **origin}
    load = partial(load_table, catalog, platform.glue_database, MACRO_SERIES.name)
    land_facts(load, MACRO_SERIES, [row], checkpoints={}, clock=lambda: datetime.now(UTC))


def small_files(catalog: Catalog, platform: Deployment) -> set[str]:
    """The files of the partition that is written to here."""
    tasks = load_table(catalog, platform.glue_database, MACRO_SERIES.name).scan().plan_files()
    return {task.file.file_path for task in tasks if "knowledge_time_year=1990" in task.file.file_path}


def read(catalog: Catalog, platform: Deployment, cut: datetime | None = None) -> pa.Table:
    rows = LakeReader(catalog, platform.glue_database).read(MACRO_SERIES, ingested_to=cut)
    return rows.sort_by([(name, "ascending") for name in MACRO_SERIES.version_key])


@contextmanager
def due_now(ground: Ground, platform: Deployment) -> Iterator[None]:
    """The deployed schedule's target, due now instead of at night."""
    scheduler, name = ground.client("scheduler"), platform.maintenance_function
    deployed = scheduler.get_schedule(Name=name, GroupName=name)
    assert deployed["State"] == "ENABLED"
    scheduler.create_schedule(
        Name="due-now",
        GroupName=name,
        ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=deployed["Target"],
    )
    try:
        yield
    finally:
        scheduler.delete_schedule(Name="due-now", GroupName=name)


def test_the_schedule_has_small_files_made_one_and_no_read_changes(
    ground: Ground, platform: Deployment, catalog: Catalog
) -> None:
    for number in range(COMMITS):
        land(catalog, platform, number)
    before, small = read(catalog, platform), small_files(catalog, platform)
    cut = sorted(before["ingested_at"].to_pylist())[-3]
    at_cut = read(catalog, platform, cut)
    assert len(small) == COMMITS
    assert at_cut.num_rows < before.num_rows
    with due_now(ground, platform):
        deadline = time.monotonic() + 90
        while len(small_files(catalog, platform)) > 1:
            assert time.monotonic() < deadline, "the schedule never had the lake maintained"
            time.sleep(0.5)
    assert read(catalog, platform).equals(before)
    assert read(catalog, platform, cut).equals(at_cut)
    answer = invoke(ground, platform, {})
    assert (len(answer["done"]), answer["left"], answer["failed"]) == (len(DATASETS) + len(OWN), [], {})
    assert read(catalog, platform).equals(before)


def test_an_event_that_names_no_table_fails_and_says_which_there_are(ground: Ground, platform: Deployment) -> None:
    answer = invoke(ground, platform, {"tables": ["nothing"]})
    assert "there is no table nothing" in answer["errorMessage"]
    assert "macro_series" in answer["errorMessage"]


def test_its_role_may_remove_a_data_file_and_a_processor_s_may_not(ground: Ground, platform: Deployment) -> None:
    key = "lake/macro_series/data/upkeep-probe.parquet"
    ground.client("s3").put_object(Bucket=platform.lake_bucket, Key=key, Body=b"orphan")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        as_role_of(ground, platform.macro_function).delete_object(Bucket=platform.lake_bucket, Key=key)
    as_role_of(ground, platform.maintenance_function).delete_object(Bucket=platform.lake_bucket, Key=key)
    assert not ground.client("s3").list_objects_v2(Bucket=platform.lake_bucket, Prefix=key).get("Contents")


def as_role_of(ground: Ground, function: str) -> Any:
    """S3 as a function reaches it: with the credentials of its role."""
    role = ground.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    given = ground.client("sts").assume_role(RoleArn=role, RoleSessionName="e2e")["Credentials"]
    return ground.session().client(
        "s3",
        **ground.client_options(),
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def invoke(ground: Ground, platform: Deployment, event: dict[str, Any]) -> Any:
    answer = ground.client("lambda").invoke(FunctionName=platform.maintenance_function, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())
