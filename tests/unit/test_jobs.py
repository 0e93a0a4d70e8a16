"""A batch job's arguments are read whole, or refused with the argument, the problem and the remedy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vintner.bitemporal.errors import FactTableError
from vintner.bitemporal.sql import Dialect
from vintner.jobs import JobArgumentError, JoinRequest, SourceRequest

SOURCE = {"table": "market.earnings", "columns": {"eps": "eps"}}
WORDS = {"spine": "research.spine", "output": "research.features", "sources": json.dumps([SOURCE])}


def words(**changed: str | None) -> list[str]:
    given = {name: value for name, value in {**WORDS, **changed}.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def test_everything_that_can_be_asked_is_read() -> None:
    source = {
        **SOURCE,
        "keys": ["isin", "venue"],
        "spine_keys": ["symbol", "market"],
        "ttl": {"days": 90, "hours": 1},
        "delay": {"minutes": 5},
        "reason": "why",
        "revision": "r1",
    }
    told = words(sources=json.dumps([source]), known_at="2024-05-02T16:05:00-04:00", system_at_column="seen", time="at")
    request = JoinRequest.parse(["--JOB_NAME", "join", "--TempDir=s3://b/tmp", *told, "--enable-metrics"])
    assert request.sources == (
        SourceRequest(
            table=("market", "earnings"),
            columns={"eps": "eps"},
            keys=("isin", "venue"),
            spine_keys=("symbol", "market"),
            ttl=timedelta(days=90, hours=1),
            delay=timedelta(minutes=5),
            reason="why",
            revision="r1",
        ),
    )
    assert (request.known_at, request.system_at, request.time) == (
        datetime(2024, 5, 2, 20, 5, tzinfo=UTC),
        "seen",
        "at",
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"spine": None}, "--spine is missing"),
        ({"spine": "spine"}, "names the table 'spine'; write database.table"),
        ({"sources": "[{"}, "--sources is no JSON"),
        ({"sources": "[]"}, "--sources is no list of sources"),
        ({"tme": "at"}, "--tme is unknown; choose from known_at"),
        ({"known_at": "2024-05-02"}, "--known_at is no instant"),
        ({"known_at": "2024-05-02T00:00:00Z", "known_at_column": "k"}, "--known_at contradicts the column"),
        ({"time": ""}, "--time has no value"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, str | None], said: str) -> None:
    with pytest.raises(JobArgumentError) as caught:
        JoinRequest.parse(words(**changed))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"tabel": "a.b"}, "unknown field 'tabel'"),
        ({"columns": {}}, "has columns {}"),
        ({"columns": {"eps": 1}}, "has columns"),
        ({"keys": "entity"}, "has keys 'entity'"),
        ({"ttl": 10}, "has the span 10"),
        ({"ttl": {"months": 1}}, "with units among weeks, days"),
        ({"ttl": {"days": 1.5}}, "has the span"),
        ({"reason": ""}, "has reason ''; give a str"),
        ({"revision": True}, "has revision True; give a str or int"),
    ],
)
def test_what_is_wrong_with_a_source_is_named(told: dict[str, Any], said: str) -> None:
    with pytest.raises(JobArgumentError) as caught:
        JoinRequest.parse(words(sources=json.dumps([{**SOURCE, **told}])))
    assert said in str(caught.value)


def test_an_argument_is_given_once() -> None:
    with pytest.raises(JobArgumentError, match="--spine is given twice"):
        JoinRequest.parse([*words(), "--spine", "a.b"])


COLUMNS: dict[tuple[str, ...], list[str]] = {
    ("research", "spine"): ["entity", "time"],
    ("market", "earnings"): ["entity", "event_time", "knowledge_time", "revision_seq", "op", "ingested_at", "eps"],
}


def test_the_statement_reads_the_tables_it_was_told() -> None:
    text = JoinRequest.parse(words()).statement(Dialect.SPARK, COLUMNS.__getitem__).text
    assert "earnings" in text
    assert "spine" in text
    assert "eps" in text


def test_a_table_that_is_no_fact_table_is_refused() -> None:
    with pytest.raises(FactTableError, match="event_time"):
        JoinRequest.parse(words()).statement(Dialect.SPARK, lambda _: ["entity", "time"])
