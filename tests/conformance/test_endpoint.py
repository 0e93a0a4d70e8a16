"""Real Trino behind the laptop's Athena endpoint: what DuckDB refuses is run, and errors have Athena's form."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
import pytest

from tests.conformance.conftest import Stage
from tests.support.bare_ground import NAMES

MADE = f"s3://{NAMES.lake_bucket}/made"


@pytest.fixture(scope="module")
def athena(stage: Stage, trino_address: str) -> Any:
    return stage.ground.client("athena")


def run(athena: Any, sql: str) -> dict[str, Any]:
    """Run a statement as boto3 does; return its execution with the rows of its result."""
    context = {"Database": NAMES.glue_database}
    started = athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, WorkGroup=NAMES.workgroup)
    name = started["QueryExecutionId"]
    deadline = time.monotonic() + 120
    while True:
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=name)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            break
        assert time.monotonic() < deadline, sql
        time.sleep(0.02)
    if execution["Status"]["State"] == "SUCCEEDED":
        results = athena.get_query_results(QueryExecutionId=name)
        rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in results["ResultSet"]["Rows"]]
        execution |= {"rows": rows, "updated": results["UpdateCount"]}
    return execution


def test_a_table_is_made_filled_changed_maintained_and_dropped(athena: Any) -> None:
    made = run(
        athena,
        f"CREATE TABLE made WITH (table_type = 'ICEBERG', is_external = false, format = 'parquet', "  # noqa: S608
        f"location = '{MADE}/', partitioning = ARRAY['bucket(k, 2)']) AS "
        "SELECT * FROM (VALUES (1, 'a', timestamp '2024-01-01 00:00:00.000001'), (2, 'b', NULL)) AS t (k, s, at)",
    )
    assert (made["Status"]["State"], made["StatementType"], made["updated"]) == ("SUCCEEDED", "DDL", 2), made
    assert run(athena, "INSERT INTO made SELECT k + 2, s, at FROM made")["updated"] == 2
    assert run(athena, "UPDATE made SET s = 'c' WHERE k = 3")["updated"] == 1
    assert run(athena, "DELETE FROM made WHERE k = 4")["updated"] == 1
    merge = (
        "MERGE INTO made USING (VALUES (1, 'z'), (9, 'n')) AS n (k, s) ON made.k = n.k "
        "WHEN MATCHED THEN UPDATE SET s = n.s WHEN NOT MATCHED THEN INSERT (k, s) VALUES (n.k, n.s)"
    )
    assert run(athena, merge)["updated"] == 2
    for statement in ("OPTIMIZE made REWRITE DATA USING BIN_PACK", "VACUUM made"):
        assert run(athena, statement)["Status"]["State"] == "SUCCEEDED"
    assert run(athena, "SELECT k, s, at FROM made ORDER BY k")["rows"] == [
        ["k", "s", "at"],
        ["1", "z", "2024-01-01 00:00:00.000001"],
        ["2", "b", None],
        ["3", "c", "2024-01-01 00:00:00.000001"],
        ["9", "n", None],
    ]
    assert run(athena, "DROP TABLE made")["Status"]["State"] == "SUCCEEDED"
    assert run(athena, "SELECT * FROM made")["Status"]["StateChangeReason"].startswith("TABLE_NOT_FOUND: line 1:15")


def test_what_only_trino_knows_is_answered(athena: Any) -> None:
    plan = run(athena, "EXPLAIN SELECT count(*) FROM macro_series")
    assert (plan["StatementType"], any("macro_series" in line for (line,) in plan["rows"])) == ("UTILITY", True)
    tables = run(athena, "SELECT table_name FROM information_schema.tables WHERE table_schema LIKE 'vintner%'")
    assert ["macro_series"] in tables["rows"]
    assert run(athena, "SELECT cbrt(27e0), 1.50 / 2")["rows"][1] == ["3.0", "0.75"]
    assert run(athena, "CREATE VIEW seen AS SELECT 1 AS one")["Status"]["State"] == "SUCCEEDED"
    assert run(athena, "SELECT one FROM seen")["rows"][1] == ["1"]
    assert run(athena, "DROP VIEW seen")["Status"]["State"] == "SUCCEEDED"


def test_results_are_unloaded_and_prepared_statements_run(athena: Any) -> None:
    unload = run(athena, f"UNLOAD (SELECT 1 AS a) TO '{MADE}-unloaded/' WITH (format = 'PARQUET')")
    assert unload["Status"]["State"] == "SUCCEEDED"
    replayed = run(athena, "EXECUTE vintage USING 'no such series', '2024-01-01 00:00:00 UTC'")
    assert len(replayed["rows"]) == 1


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "SELECT nosuch FROM macro_series",
            "COLUMN_NOT_FOUND: line 1:8: Column 'nosuch' cannot be resolved or requester",
        ),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("CREATE TABLE t WITH (format = 'PARQUET') AS SELECT 1 AS a", "NOT_SUPPORTED: A table that is not Iceberg's"),
        (
            "ALTER TABLE macro_series ADD COLUMNS (x bigint)",
            "NOT_SUPPORTED: line 1:1: ALTER is not run by the laptop's Trino",
        ),
    ],
)
def test_a_failed_statement_says_why(athena: Any, statement: str, reason: str) -> None:
    status = run(athena, statement)["Status"]
    assert (status["State"], status["StateChangeReason"][: len(reason)]) == ("FAILED", reason)


def test_what_does_not_parse_is_refused_at_the_door(athena: Any) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match="line 1:10: mismatched input ','"):
        run(athena, "SELECT a,, b FROM t")


def test_a_running_statement_is_stopped(athena: Any) -> None:
    slow = "SELECT count(*) FROM UNNEST(sequence(1, 5000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 5000)) AS b (y) "
    slow += "CROSS JOIN UNNEST(sequence(1, 5000)) AS c (z)"
    started = athena.start_query_execution(QueryString=slow, WorkGroup=NAMES.workgroup)["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=started)
    deadline = time.monotonic() + 60
    while athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]["State"] != "CANCELLED":
        assert time.monotonic() < deadline
        time.sleep(0.05)
