"""Whatever is put, in whatever order and however often: the online answer is the as-of read's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.support.keyed_table import make_keyed_table
from vintner.aws.online import DynamoOnlineStore
from vintner.bitemporal import as_of
from vintner.features import MemoryOnlineStore, OnlineStore
from vintner.lake.model import Column, Dataset, Layout

FACTS = Dataset(
    name="facts",
    doc="Generated.",
    stream="market_data",
    columns=(
        Column(name="value", type=pa.float64(), doc=""),
        Column(name="label", type=pa.string(), doc=""),
    ),
    layout=Layout.YEAR_OF_EVENT,
)
ENTITIES = ("a", "a#b")
INSTANTS = [datetime(1969, 12, 30, tzinfo=UTC) + timedelta(days=n, microseconds=n % 2) for n in range(5)]
CUTS = sorted({*INSTANTS, INSTANTS[0] - timedelta(microseconds=1), INSTANTS[-1] + timedelta(days=1)})

_numbers = itertools.count()


@st.composite
def versions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw versions with different keys over few instants, so that everything collides with everything."""
    instants = st.sampled_from(INSTANTS)
    keys = draw(
        st.lists(st.tuples(st.sampled_from(ENTITIES), instants, instants, st.integers(0, 2)), unique=True, max_size=25)
    )
    return [
        {
            "entity": entity,
            "event_time": event,
            "knowledge_time": known,
            "revision_seq": revision,
            "op": draw(st.sampled_from(["upsert", "upsert", "delete"])),
            "ingested_at": known,
            "value": draw(st.none() | st.floats()),
            "label": draw(st.none() | st.text(st.characters(codec="utf-8"), max_size=3)),
            "source": "test",
            "record_id": "s/0/1/0",
        }
        for entity, event, known, revision in keys
    ]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[pa.Table, list[pa.Table]]:
    """Draw facts, and how they are delivered: in any order, cut anywhere, some of them again and again."""
    rows = draw(versions())
    repeated = [*rows, *draw(st.lists(st.sampled_from(rows), max_size=10))] if rows else []
    order = draw(st.permutations(repeated))
    cuts = [0, *sorted(draw(st.lists(st.integers(0, len(order)), max_size=3))), len(order)]
    batches = [order[start:end] for start, end in itertools.pairwise(cuts)]
    return table(rows), [table(batch) for batch in batches]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=FACTS.schema)


def same(online: Any, offline: dict[str, Any] | None) -> bool:
    if online is None or offline is None:
        return online is offline
    clocks = all(online[name] == offline[name] for name in ("entity", "event_time", "knowledge_time", "revision_seq"))
    # The text of a double names its bits; NaN is equal to itself in no other way.
    return clocks and all(repr(online[name]) == repr(offline[name]) for name in ("value", "label"))


def cuts() -> st.SearchStrategy[list[tuple[datetime, datetime]]]:
    return st.lists(st.tuples(st.sampled_from(CUTS), st.sampled_from(CUTS)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setattr("vintner.aws.online.PAGE", 2)  # so that answers lie behind many page ends
        yield boto3.client("dynamodb", region_name="eu-west-1")


def new_table(dynamodb: Any) -> str:
    name = f"online-{next(_numbers)}"
    make_keyed_table(dynamodb, name)
    return name


@given(delivered=deliveries(), reads=cuts())
@settings(max_examples=40, deadline=None)
def test_online_answers_equal_the_as_of_read(
    dynamodb: Any, delivered: tuple[pa.Table, list[pa.Table]], reads: list[tuple[datetime, datetime]]
) -> None:
    facts, batches = delivered
    stores: list[OnlineStore] = [MemoryOnlineStore(), DynamoOnlineStore(new_table(dynamodb), client=dynamodb)]
    for store, batch in itertools.product(stores, batches):
        store.put(FACTS, batch)
    for at, known_at in reads:
        offline = {row["entity"]: row for row in as_of(facts, at=at, known_at=known_at).to_pylist()}
        for store, entity in itertools.product(stores, ENTITIES):
            online = store.latest(FACTS, entity, at=at, known_at=known_at)
            assert same(online, offline.get(entity)), (store, entity, at, known_at)
