"""A small lake on local disk for tests of Athena SQL: every declared table, and the facts of a worked example."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from local.athena import Cancellation, SqlEngine, Statement, StatementKind
from local.athena.printing import print_column
from local.athena.statements import fill_parameters
from vintner.datasets import DATASETS
from vintner.lake.migrate import migrate

DATABASE: Final = "vintner_laptop"

# entity, event, knowledge, revision, operation, value: the worked example of the bitemporal rules, and a calendar
# whose event moves from the end of October into November.
ACME: Final = (
    ("ACME", "2024-03-31", "2024-05-02 20:05", 0, "upsert", 2.00),
    ("ACME", "2024-06-30", "2024-08-01 20:05", 0, "upsert", 2.30),
    ("ACME", "2024-03-31", "2024-08-20 12:00", 1, "upsert", 1.80),
    ("ACME", "2024-06-30", "2024-09-10 09:00", 1, "delete", None),
    ("ACME", "2024-06-30", "2024-09-12 09:00", 2, "upsert", 2.25),
)
CALENDAR: Final = (
    ("CALL", "2024-10-30", "2024-10-01", 0, "upsert", 3.0),
    ("CALL", "2024-10-30", "2024-10-15", 1, "delete", None),
    ("CALL", "2024-11-06", "2024-10-15", 0, "upsert", 3.0),
)


def instant(text: str) -> datetime:
    """Return a UTC time from text without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_lake(folder: Path) -> SqlCatalog:
    """Return a catalog in a folder with every declared table, all empty."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
    catalog.create_namespace(DATABASE)
    migrate(catalog, DATABASE, f"file://{folder}/warehouse", DATASETS.values())
    return catalog


def land_macro(table: Table, facts: Sequence[tuple[Any, ...]]) -> int:
    """Append facts as :data:`ACME` states them in one commit, and return its snapshot."""
    table.append(macro_rows(facts))
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return snapshot.snapshot_id


def macro_rows(facts: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Return facts as :data:`ACME` states them as rows of ``macro_series``."""
    rows = [
        {
            "entity": entity,
            "event_time": instant(event),
            "knowledge_time": instant(known),
            "revision_seq": revision,
            "op": op,
            "ingested_at": instant(known),
            "value": value,
            "source": "test",
            "record_id": f"test/0/{position}/0",
        }
        for position, (entity, event, known, revision, op, value) in enumerate(facts)
    ]
    return pa.Table.from_pylist(rows, schema=DATASETS["macro_series"].schema)


def ask(engine: SqlEngine, text: str, *parameters: str) -> list[tuple[str | None, ...]]:
    """Run a query and return its rows as Athena prints them."""
    statement = Statement(text=fill_parameters(text, parameters), kind=StatementKind.QUERY, database=DATABASE)
    result = engine.run(statement, Cancellation())
    cells = [print_column(result.table.column(i), column.type) for i, column in enumerate(result.columns)]
    return list(zip(*cells, strict=True))
