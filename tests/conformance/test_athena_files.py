"""Every file under athena/ gives the same cells on real Trino as on the laptop's own engine."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from pyiceberg.catalog import Catalog

from infra.named_queries import NamedQuery, read_named_queries
from local.athena import Cancellation, DuckDbEngine, SqlEngine, Statement, StatementKind
from local.athena.results import ResultSet
from local.athena.statements import count_parameters, fill_parameters
from local.ground.config import PROJECT
from local.trino import TrinoEngine
from tests.conformance.facts import ENTITIES, thrown_rows
from tests.support.bare_ground import NAMES
from vintner.lake import Refusal, land_facts, land_refusals, load_table
from vintner.marketdata.datasets import DATASETS

SAVED = [
    pytest.param(query, id=f"{folder.name}/{query.name}")
    for folder in sorted((PROJECT / "athena").iterdir())
    for query in read_named_queries(folder)
]
# One value for each name that the saved queries give to a parameter, twice: answers must differ somewhere.
ROUNDS = (
    {"entity": "'uk.gdpkp'", "symbol": "'AAPL'", "instant": "'2009-06-30 12:00:00 UTC'", "days": "400"},
    {"entity": "'größe'", "symbol": "'BP/ L'", "instant": "timestamp '2010-01-04 00:00:00.000001 UTC'", "days": "30"},
)
NOW = datetime(2011, 1, 1, tzinfo=UTC)
REFUSALS = [
    Refusal(
        stream="dice",
        shard="0",
        sequence=number,
        position=0,
        field=field,
        rule="must be given",
        remedy="state it",
        payload=json.dumps({"entity": "größe", "value": number}),
        arrived_at=NOW + timedelta(microseconds=number),
        dataset="macro_series" if number % 2 else None,
    )
    for number, field in enumerate(("value", "event_time", "value"))
]
EVENT = "'2008-09-30 00:00:00 UTC'"


@pytest.fixture(scope="module", autouse=True)
def facts(catalog: Catalog) -> None:
    """Facts in every table, and two records in quarantine."""
    for name in ENTITIES:
        dataset = DATASETS[name]
        rows = thrown_rows(dataset)
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            land_facts(
                lambda name=name: load_table(catalog, NAMES.glue_database, name),  # type: ignore[misc]
                dataset,
                part,
                checkpoints={"dice/0": int(part[-1]["record_id"].split("/")[2])},
                clock=lambda: NOW,
            )
    land_refusals(
        lambda: load_table(catalog, NAMES.glue_database, "quarantine"),
        REFUSALS,
        checkpoints={"dice/0": 2},
        clock=lambda: NOW,
    )


def parameters(query: NamedQuery, values: dict[str, str]) -> list[str]:
    """Return a value for each parameter that the description of a query names."""
    told = re.search(r"Parameters?: (.*)\.", query.description)
    names = re.sub(r"\([^)]*\)", "", told[1]).split(",") if told else []
    if "symbols" in query.description and names:  # lists in one text
        return ["'AAPL,BP/ L'", "'2009-06-30,2010-01-04'", "'12:00:00'"]
    return [_value(name.strip(), values) for name in names]


def _value(name: str, values: dict[str, str]) -> str:
    for word, value in (("days", "days"), ("symbol", "symbol"), ("entity", "entity"), ("series", "entity")):
        if word in name:
            return values[value]
    if "system" in name:
        return "timestamp '2011-01-02 00:00:00 UTC'"
    return EVENT if "event time" in name else values["instant"]


def cells(engine: SqlEngine, text: str) -> list[list[str | None]]:
    statement = Statement(text=text, kind=StatementKind.QUERY, database=NAMES.glue_database)
    return ResultSet.from_engine(engine.run(statement, Cancellation())).rows


@pytest.mark.parametrize("query", SAVED)
def test_a_saved_query_says_the_same_on_both_engines(
    query: NamedQuery, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine
) -> None:
    asked = ROUNDS if count_parameters(query.sql) else ROUNDS[:1]
    texts = [fill_parameters(query.sql, parameters(query, values)) for values in asked]
    ours = [cells(duckdb_engine, text) for text in texts]
    trinos = [cells(trino_engine, text) for text in texts]
    assert ours == trinos
    assert any(ours), "no rows: the facts do not fit the question"
