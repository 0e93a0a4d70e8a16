"""The endpoint as clients see it: boto3 and awswrangler over HTTP, results in S3, tables in an Iceberg catalog."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awswrangler as wr
import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.athena import (
    AthenaServer,
    DuckDbEngine,
    WorkGroup,
    build_endpoint,
)
from local.athena.results import S3ResultStore
from local.ground.certificate import ensure_certificate
from tests.support.athena_lake import ACME, DATABASE, land_macro, make_lake
from tests.support.slow_engine import SlowEngine

ATHENA = Path(__file__).parents[2] / "athena"
BUCKET = "vintner-laptop-athena-000000000000-eu-west-1"
OUTPUT = f"s3://{BUCKET}/results/"
GROUP = "vintner-laptop"
KEPT = 8


@dataclass
class World:
    """A running endpoint and its clients."""

    athena: Any
    s3: Any
    engine: SlowEngine
    snapshots: list[int]
    commit_times: list[int]

    def start(self, text: str, **more: Any) -> str:
        context = {"QueryExecutionContext": {"Database": DATABASE}, "WorkGroup": GROUP}
        started = self.athena.start_query_execution(QueryString=text, **{**context, **more})
        return str(started["QueryExecutionId"])

    def finished(self, execution_id: str) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return found
            time.sleep(0.01)

    def run(self, text: str, **more: Any) -> dict[str, Any]:
        return self.finished(self.start(text, **more))

    def rows(self, text: str, **more: Any) -> list[list[str | None]]:
        execution = self.run(text, **more)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        found = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found["ResultSet"]["Rows"]]

    def read(self, location: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=location.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
        return body


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    patched = pytest.MonkeyPatch()
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        patched.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patched.setenv(name, "test")
    patched.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    lake = make_lake(tmp_path_factory.mktemp("lake"))
    table = lake.load_table((DATABASE, "macro_series"))
    snapshots = [land_macro(table, [fact]) for fact in ACME[:3]]
    table.manage_snapshots().create_tag(snapshots[0], "first").commit()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        engine = SlowEngine(DuckDbEngine(lambda: lake))
        group = WorkGroup(name=GROUP, output=OUTPUT, enforced=True)
        endpoint = build_endpoint(
            lambda: lake,
            S3ResultStore(s3),
            workgroup=group,
            database=DATABASE,
            queries=ATHENA,
            engine=engine,
            kept_results=KEPT,
        )
        server = AthenaServer(endpoint.operations)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        patched.setenv("AWS_ENDPOINT_URL_ATHENA", server.endpoint)
        times = [entry.timestamp_ms for entry in table.history()]
        try:
            yield World(boto3.client("athena"), s3, engine, snapshots, times)
        finally:
            server.shutdown()
            server.server_close()
            serving.join()
            endpoint.close()
            lake.close()
            patched.undo()


def test_a_query_is_described_while_and_after_it_runs(world: World) -> None:
    execution = world.run("SELECT count(*) AS n FROM macro_series")
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{execution['QueryExecutionId']}.csv"
    assert execution["Statistics"]["DataScannedInBytes"] > 0
    assert execution["Status"]["SubmissionDateTime"] <= execution["Status"]["CompletionDateTime"]
    batch = world.athena.batch_get_query_execution(QueryExecutionIds=[execution["QueryExecutionId"], "nosuch"])
    assert [each["QueryExecutionId"] for each in batch["QueryExecutions"]] == [execution["QueryExecutionId"]]
    assert [each["QueryExecutionId"] for each in batch["UnprocessedQueryExecutionIds"]] == ["nosuch"]
    listed = world.athena.list_query_executions(WorkGroup=GROUP)["QueryExecutionIds"]
    assert listed[0] == execution["QueryExecutionId"]


def test_the_result_file_is_quoted_with_a_header_and_bare_nulls(world: World) -> None:
    query = "SELECT 'a\"b' AS text, NULL AS nothing, '' AS empty, 1.0E-5 AS x, true AS flag"
    execution = world.run(query)
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert world.read(location) == b'"text","nothing","empty","x","flag"\n"a""b",,"","1.0E-5","true"\n'
    assert world.read(f"{location}.metadata")


def test_columns_have_athenas_types(world: World) -> None:
    execution = world.run("SELECT *, CAST(1 AS decimal(10, 2)) AS d FROM macro_series LIMIT 1")
    found = world.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
    types = {each["Name"]: each["Type"] for each in found["ResultSetMetadata"]["ColumnInfo"]}
    assert types["event_time"] == "timestamp with time zone"
    assert (types["value"], types["revision_seq"], types["entity"]) == ("double", "bigint", "varchar")
    decimal = found["ResultSetMetadata"]["ColumnInfo"][-1]
    assert (decimal["Type"], decimal["Precision"], decimal["Scale"]) == ("decimal", 10, 2)


def test_results_come_in_pages_the_first_with_the_header(world: World) -> None:
    execution = world.run("SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x")
    execution_id = execution["QueryExecutionId"]
    pages = list(world.athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id))
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    cells = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert cells == ["x", *map(str, range(1, 2501))]
    header = world.athena.get_query_results(QueryExecutionId=execution_id, MaxResults=1)["ResultSet"]["Rows"]
    assert header == [{"Data": [{"VarCharValue": "x"}]}]
    with pytest.raises(ClientError, match="NextToken"):
        world.athena.get_query_results(QueryExecutionId=execution_id, NextToken="nonsense")


def test_rows_no_longer_at_hand_are_read_back_from_s3(world: World) -> None:
    execution_id = world.start("SELECT CAST(NULL AS varchar) AS a, 'b,\"c' AS b")
    world.finished(execution_id)
    later = [world.start("SELECT 1") for _ in range(KEPT)]
    for each in later:
        world.finished(each)
    rows = world.athena.get_query_results(QueryExecutionId=execution_id)["ResultSet"]["Rows"]
    assert rows[1] == {"Data": [{}, {"VarCharValue": 'b,"c'}]}


def test_a_token_starts_one_query(world: World) -> None:
    token = str(uuid.uuid4())
    first = world.start("SELECT 1", ClientRequestToken=token)
    assert world.start("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(world.athena.exceptions.InvalidRequestException, match="Idempotent parameters do not match"):
        world.start("SELECT 2", ClientRequestToken=token)


def test_a_failure_says_why_and_where(world: World) -> None:
    status = world.run("SELECT *\nFROM nosuch")["Status"]
    reason = f"TABLE_NOT_FOUND: line 2:6: Table 'awsdatacatalog.{DATABASE}.nosuch' does not exist"
    assert (status["State"], status["StateChangeReason"]) == ("FAILED", reason)
    assert (status["AthenaError"]["ErrorCategory"], status["AthenaError"]["ErrorMessage"]) == (2, reason)


def test_a_failed_query_has_no_results(world: World) -> None:
    failed = world.run("SELECT nosuch FROM macro_series")
    with pytest.raises(ClientError, match="Final query state: FAILED"):
        world.athena.get_query_results(QueryExecutionId=failed["QueryExecutionId"])


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"QueryString": "SELEC 1"}, "line 1:1: mismatched input 'SELEC'"),
        ({"QueryString": "SELECT 1", "WorkGroup": "nosuch"}, "WorkGroup nosuch is not found"),
        ({"QueryString": "SELECT 1", "WorkGroup": "primary"}, "No output location provided"),
        ({"QueryString": "EXECUTE nosuch"}, "PreparedStatement nosuch was not found in workGroup"),
    ],
)
def test_a_bad_request_is_refused_at_once(world: World, request_: dict[str, str], said: str) -> None:
    with pytest.raises(world.athena.exceptions.InvalidRequestException, match=said):
        world.athena.start_query_execution(**{"WorkGroup": GROUP, **request_})


def test_an_unknown_operation_is_named(world: World) -> None:
    with pytest.raises(world.athena.exceptions.InvalidRequestException, match="no operation CreateNotebook"):
        world.athena.create_notebook(WorkGroup=GROUP, Name="n")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO macro_series SELECT * FROM macro_series", "CREATE TABLE t AS SELECT 1 AS a", "VACUUM macro_series"],
)
def test_writing_is_refused_with_the_reason(world: World, statement: str) -> None:
    status = world.run(statement)["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("NOT_SUPPORTED: line 1:1: ")
    assert "keeps its clocks" in status["StateChangeReason"]


def test_time_travel_reads_each_snapshot(world: World) -> None:
    for count, (snapshot, millis) in enumerate(zip(world.snapshots, world.commit_times, strict=True), start=1):
        seconds, rest = divmod(millis, 1000)
        moment = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{rest:03} UTC"
        for version in (f"FOR VERSION AS OF {snapshot}", f"FOR TIMESTAMP AS OF timestamp '{moment}'"):
            found = world.rows(f"SELECT count(*) FROM macro_series {version}")  # noqa: S608 - made above
            assert found[1:] == [[str(count)]]
    assert world.rows("SELECT count(*) FROM macro_series FOR VERSION AS OF 'first'")[1:] == [["1"]]
    snapshots = world.rows('SELECT snapshot_id FROM "macro_series$snapshots" ORDER BY committed_at')
    assert snapshots[1:] == [[str(snapshot)] for snapshot in world.snapshots]


def test_a_running_query_can_be_stopped(world: World) -> None:
    execution_id = world.start("SELECT 'slow'")
    world.engine.started.wait()
    with pytest.raises(ClientError, match="not yet finished"):
        world.athena.get_query_results(QueryExecutionId=execution_id)
    world.athena.stop_query_execution(QueryExecutionId=execution_id)
    assert world.finished(execution_id)["Status"]["State"] == "CANCELLED"


def test_prepared_statements_are_served_and_executed(world: World) -> None:
    listed = world.athena.list_prepared_statements(WorkGroup=GROUP)["PreparedStatements"]
    assert {"as_of", "history", "vintage"} <= {each["StatementName"] for each in listed}
    by_using = world.rows("EXECUTE vintage USING 'ACME', '2024-08-10 00:00:00 UTC'")
    by_parameters = world.rows("EXECUTE vintage", ExecutionParameters=["'ACME'", "'2024-08-10 00:00:00 UTC'"])
    assert [row[-1] for row in by_using] == [row[-1] for row in by_parameters] == ["value", "2.0", "2.3"]
    wrong = world.run("EXECUTE vintage USING 'ACME'")["Status"]["StateChangeReason"]
    assert "Incorrect number of parameters: expected 2 but found 1" in wrong


def test_prepared_statements_are_made_changed_and_forgotten(world: World) -> None:
    named = {"StatementName": "mine", "WorkGroup": GROUP}
    world.athena.create_prepared_statement(**named, QueryStatement="SELECT ? + 1")
    with pytest.raises(ClientError, match="already exists"):
        world.athena.create_prepared_statement(**named, QueryStatement="SELECT 1")
    world.athena.update_prepared_statement(**named, QueryStatement="SELECT ? + 2", Description="two")
    assert world.athena.get_prepared_statement(**named)["PreparedStatement"]["Description"] == "two"
    assert world.rows("EXECUTE mine USING 40")[1:] == [["42"]]
    world.athena.delete_prepared_statement(**named)
    with pytest.raises(world.athena.exceptions.ResourceNotFoundException):
        world.athena.get_prepared_statement(**named)
    world.run("PREPARE sqls FROM SELECT ?")
    assert world.rows("EXECUTE sqls USING 'x'")[1:] == [["x"]]
    world.run("DEALLOCATE PREPARE sqls")
    with pytest.raises(ClientError, match="was not found"):
        world.start("EXECUTE sqls USING 1")


def test_named_queries_are_served_made_and_forgotten(world: World) -> None:
    ids = world.athena.list_named_queries(WorkGroup=GROUP)["NamedQueryIds"]
    served = world.athena.batch_get_named_query(NamedQueryIds=[*ids, "nosuch"])
    assert {query["Database"] for query in served["NamedQueries"]} == {DATABASE}
    assert "latest known value" in {query["Name"] for query in served["NamedQueries"]}
    assert len(served["UnprocessedNamedQueryIds"]) == 1
    made = world.athena.create_named_query(Name="one", Database=DATABASE, QueryString="SELECT 1", WorkGroup=GROUP)
    assert world.athena.get_named_query(NamedQueryId=made["NamedQueryId"])["NamedQuery"]["QueryString"] == "SELECT 1"
    world.athena.delete_named_query(NamedQueryId=made["NamedQueryId"])
    with pytest.raises(ClientError, match="was not found"):
        world.athena.get_named_query(NamedQueryId=made["NamedQueryId"])


def test_the_catalog_can_be_looked_at(world: World) -> None:
    catalog = {"CatalogName": "AwsDataCatalog"}
    databases = world.athena.list_databases(**catalog)["DatabaseList"]
    assert [database["Name"] for database in databases] == [DATABASE]
    table = world.athena.get_table_metadata(**catalog, DatabaseName=DATABASE, TableName="macro_series")["TableMetadata"]
    assert {"Name": "event_time", "Type": "timestamp"}.items() <= table["Columns"][1].items()
    assert table["Parameters"]["table_type"] == "ICEBERG"
    listed = world.athena.list_table_metadata(**catalog, DatabaseName=DATABASE, Expression="macro*")
    assert [each["Name"] for each in listed["TableMetadataList"]] == ["macro_series"]
    with pytest.raises(world.athena.exceptions.MetadataException):
        world.athena.get_table_metadata(**catalog, DatabaseName=DATABASE, TableName="nosuch")
    assert ["macro_series"] in world.rows("SHOW TABLES")
    assert world.rows(f"SHOW TABLES IN {DATABASE} 'macro*'") == [["macro_series"]]
    assert world.rows("SHOW DATABASES") == [[DATABASE]]
    described = world.rows("DESCRIBE macro_series")
    assert [str(row[0]).split()[:2] for row in described][:2] == [["entity", "string"], ["event_time", "timestamp"]]
    assert world.rows("SHOW CREATE TABLE macro_series")[0] == [f"CREATE TABLE {DATABASE}.macro_series ("]


def test_the_workgroup_decides_where_results_go(world: World) -> None:
    group = world.athena.get_work_group(WorkGroup=GROUP)["WorkGroup"]["Configuration"]
    assert group["EnforceWorkGroupConfiguration"]
    assert group["ResultConfiguration"]["OutputLocation"] == OUTPUT
    elsewhere = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/elsewhere"}}
    enforced = world.run("SELECT 1", **elsewhere)
    assert enforced["ResultConfiguration"]["OutputLocation"].startswith(OUTPUT)
    free = world.run("SELECT 1", **elsewhere, WorkGroup="primary")
    assert free["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/elsewhere/")
    assert [each["Name"] for each in world.athena.list_work_groups()["WorkGroups"]] == ["primary", GROUP]


# awswrangler passes pandas an argument that pandas 3 no longer needs.
old_argument = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")


@old_argument
def test_awswrangler_reads_a_query(world: World) -> None:
    frame = wr.athena.read_sql_query(
        "SELECT entity, event_time, value, revision_seq, NULL AS nothing FROM macro_series ORDER BY knowledge_time",
        database=DATABASE,
        workgroup=GROUP,
        ctas_approach=False,
        athena_query_wait_polling_delay=0.01,
    )
    assert frame["value"].tolist() == [2.0, 2.3, 1.8]
    assert frame["event_time"].dt.strftime("%Y-%m-%d").tolist() == ["2024-03-31", "2024-06-30", "2024-03-31"]
    assert frame["nothing"].isna().all()


@old_argument
def test_awswrangler_reads_an_unloaded_query(world: World) -> None:
    target = f"s3://{BUCKET}/unloaded/"
    frame = wr.athena.read_sql_query(
        "SELECT entity, CAST(event_time AS timestamp) AS event_time, value FROM macro_series ORDER BY knowledge_time",
        database=DATABASE,
        workgroup=GROUP,
        ctas_approach=False,
        unload_approach=True,
        s3_output=target,
        keep_files=True,
        athena_query_wait_polling_delay=0.01,
    )
    assert frame["value"].tolist() == [2.0, 2.3, 1.8]
    reason = world.run(f"UNLOAD (SELECT 1 AS a) TO '{target}' WITH (format = 'PARQUET')")["Status"]["StateChangeReason"]
    assert reason.startswith("HIVE_PATH_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT event_time FROM macro_series", "NOT_SUPPORTED: Unsupported Hive type: timestamp(6) with time zone"),
        ("SELECT 1", "MISSING_COLUMN_NAME: Column name not specified at position 1"),
        ("SELECT 1 AS a, 2 AS A", "DUPLICATE_COLUMN_NAME: Column name 'A' specified more than once"),
    ],
)
def test_unload_refuses_what_athena_refuses(world: World, query: str, reason: str) -> None:
    unload = f"UNLOAD ({query}) TO 's3://{BUCKET}/{uuid.uuid4()}/' WITH (format = 'PARQUET')"
    assert world.run(unload)["Status"]["StateChangeReason"].startswith(reason)


def test_the_endpoint_speaks_https_with_a_given_certificate(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path)
    server = AthenaServer({"ListWorkGroups": lambda _: {}}, certificate=(files.certificate, files.key))
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        # A client that says nothing holds up nobody.
        with socket.create_connection(("127.0.0.1", server.server_port)):
            trusted = ssl.create_default_context(cafile=str(files.bundle))
            with urllib.request.urlopen(server.endpoint, context=trusted) as answer:  # noqa: S310 - our own address
                assert json.load(answer) == {"service": "athena", "operations": ["ListWorkGroups"]}
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
