"""Asking Athena as plain boto3 does."""

from __future__ import annotations

import time
from typing import Any

from local.ground import Deployment


def ask_athena(athena: Any, platform: Deployment, sql: str) -> list[dict[str, str | None]]:
    """Run one statement to its end and return its rows by column name."""
    context = {"Database": platform.glue_database}
    started = athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, WorkGroup=platform.workgroup)
    execution = started["QueryExecutionId"]
    while (status := _status(athena, execution))["State"] in ("QUEUED", "RUNNING"):
        time.sleep(0.1)
    assert status["State"] == "SUCCEEDED", status
    titles, *rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    columns = [cell["VarCharValue"] for cell in titles["Data"]]
    return [dict(zip(columns, (cell.get("VarCharValue") for cell in row["Data"]), strict=True)) for row in rows]


def _status(athena: Any, execution: str) -> dict[str, Any]:
    status: dict[str, Any] = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
    return status
