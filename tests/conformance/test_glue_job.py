"""The as-of join as a Glue job gives what the library gives in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog

from local.ground.config import PROJECT
from local.spark import SparkHome
from tests.conformance.conftest import Stage
from tests.conformance.facts import thrown_rows
from tests.support.bare_ground import NAMES
from vintner.bitemporal import FactSource, as_of_join
from vintner.lake import Dataset
from vintner.marketdata.datasets import MACRO_SERIES, PRICES_DAILY

DATABASE = "jobs"
DAY = timedelta(days=1)
SPINE = pa.table(
    {
        "id": pa.array(range(8), pa.int64()),
        "symbol": ["AAPL", "MSFT", "nobody", None] * 2,
        "series": ["uk.gdpkp", "größe"] * 4,
        "time": pa.array([datetime(2009, 1, 1, tzinfo=UTC) + each * 100 * DAY for each in range(8)]),
    }
).cast(
    pa.schema(
        [("id", pa.int64()), ("symbol", pa.string()), ("series", pa.string()), ("time", pa.timestamp("us", "UTC"))]
    )
)


def facts(dataset: Dataset) -> pa.Table:
    rows = [{**row, "ingested_at": row["knowledge_time"]} for row in thrown_rows(dataset)]
    return pa.Table.from_pylist(rows, schema=dataset.schema)


@pytest.fixture(scope="module")
def tables(catalog: Catalog) -> None:
    catalog.create_namespace_if_not_exists(DATABASE)
    for name, rows in (("spine", SPINE), ("prices", facts(PRICES_DAILY)), ("macro", facts(MACRO_SERIES))):
        location = f"{NAMES.warehouse}/{DATABASE}/{name}"
        catalog.create_table((DATABASE, name), schema=rows.schema, location=location).append(rows)


SOURCES: list[dict[str, Any]] = [
    {
        "table": f"{DATABASE}.prices",
        "columns": {"close": "close"},
        "spine_keys": ["symbol"],
        "ttl": {"days": 60},
        "reason": "why_no_close",
    },
    {"table": f"{DATABASE}.macro", "columns": {"gdp": "value"}, "spine_keys": ["series"], "delay": {"days": 2}},
]


def run_job(home: SparkHome, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "glue_jobs" / "as_of_join.py"), "--JOB_NAME", "as-of-join", *words]
    return subprocess.run(command, env=home.variables(), capture_output=True, text=True, check=False, timeout=600)


def test_the_job_answers_as_the_library_does(stage: Stage, catalog: Catalog, tables: None) -> None:
    if stage.spark_home is None:
        pytest.skip(str(stage.spark))
    asked = ["--spine", f"{DATABASE}.spine", "--output", f"{DATABASE}.features", "--sources", json.dumps(SOURCES)]
    done = run_job(stage.spark_home, *asked)
    assert done.returncode == 0, done.stderr[-3000:]
    made = catalog.load_table((DATABASE, "features"))
    expected = as_of_join(
        SPINE,
        [
            FactSource(
                facts=facts(PRICES_DAILY),
                columns={"close": "close"},
                spine_keys=("symbol",),
                ttl=60 * DAY,
                reason="why_no_close",
            ),
            FactSource(
                facts=facts(MACRO_SERIES), columns={"gdp": "value"}, spine_keys=("series",), delay=timedelta(days=2)
            ),
        ],
    )
    assert made.scan().to_arrow().sort_by("id").to_pylist() == expected.to_pylist()
    assert {row["why_no_close"] for row in expected.to_pylist()} >= {None, "never_known"}
    assert made.properties["vintner.job.sources"] == json.dumps(SOURCES)


def test_a_wrong_argument_ends_the_job_with_the_remedy(stage: Stage) -> None:
    if stage.spark_home is None:
        pytest.skip(str(stage.spark))
    done = run_job(stage.spark_home, "--spine", "spine")
    assert done.returncode != 0
    assert "write database.table" in done.stderr or "is missing" in done.stderr
