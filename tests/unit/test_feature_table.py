"""A feature table holds what was known, and reads no more than it needs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from vintner.bitemporal import INSTANT, NaiveTimeError, SpineTableError, audit_leaks
from vintner.datasets import dataset_of, find_dataset, find_series
from vintner.features import (
    Feature,
    FeatureTtlError,
    FeatureView,
    MemoryOnlineStore,
    UnknownDatasetError,
    UnknownViewError,
    fact_history,
    feature_table,
    find_view,
    online_features,
    series_as_known,
    sources_for,
    with_entity_keys,
)
from vintner.lake import Revision
from vintner.lake.model import Column, Dataset, Layout


def day(number: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def dataset(name: str, ttl: timedelta | None = None) -> Dataset:
    columns = (Column(name="value", type=pa.float64(), doc=""), Column(name="label", type=pa.string(), doc=""))
    return Dataset(name=name, doc="", stream="market_data", columns=columns, layout=Layout.YEAR_OF_EVENT, ttl=ttl)


PRICES = dataset("prices", ttl=timedelta(days=3))
LASTING = dataset("prices", ttl=timedelta(days=40))
SECTORS = dataset("sectors")

VIEW = FeatureView(
    name="view",
    doc="",
    features=(
        Feature(name="close", dataset=PRICES, column="value"),
        Feature(name="kind", dataset=PRICES, column="label"),
        Feature(name="close_long", dataset=LASTING, column="value", ttl=timedelta(days=30)),
        Feature(name="close_late", dataset=PRICES, column="value", delay=timedelta(days=1)),
        Feature(name="market", dataset=LASTING, column="value", entity="INDEX", ttl=timedelta(days=30)),
        Feature(name="sector", dataset=SECTORS, column="label", entity="GICS/{entity}"),
    ),
)


def facts(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of (entity, event day, knowledge day, value, label[, revision[, op]])."""
    made = [
        {
            "entity": entity,
            "event_time": day(event),
            "knowledge_time": day(known),
            "revision_seq": rest[0] if rest else 0,
            "op": rest[1] if len(rest) > 1 else "upsert",
            "ingested_at": day(known),
            "value": value,
            "label": label,
            "source": "test",
            "record_id": "s/0/1/0",
        }
        for entity, event, known, value, label, *rest in rows
    ]
    return pa.Table.from_pylist(made, schema=PRICES.schema)


class Lake:
    """A reader over tables in memory that remembers what it was asked."""

    def __init__(self, **tables: pa.Table) -> None:
        self.tables = tables
        self.asked: list[tuple[str, list[str] | None, datetime | None, datetime | None]] = []

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[str] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Revision | None = None,
    ) -> pa.Table:
        self.asked.append((dataset.name, None if entities is None else list(entities), known_to, ingested_to))
        rows = self.tables[dataset.name]
        if entities is not None:
            rows = rows.filter(pc.is_in(rows["entity"], pa.array(entities, pa.string())))
        if known_to is not None:
            rows = rows.filter(pc.less_equal(rows["knowledge_time"], pa.scalar(known_to, INSTANT)))
        return rows


@pytest.fixture
def lake() -> Lake:
    return Lake(
        prices=facts(
            ("A", 0, 0, 10.0, "first"),
            ("A", 1, 1, 11.0, "first"),
            ("A", 1, 6, 11.5, "revised", 1),
            ("A", 9, 9, None, "unpriced"),
            ("B", 2, 2, 20.0, "first"),
            ("B", 2, 4, None, None, 1, "delete"),
            ("INDEX", 0, 0, 100.0, "index"),
            ("C", 0, 0, 99.0, "not asked for"),
        ),
        sectors=facts(("GICS/A", 0, 0, None, "Energy"), ("GICS/A", 5, 5, None, "Utilities")),
    )


def spine(*rows: tuple[str, int]) -> pa.Table:
    entities, days = zip(*rows, strict=True) if rows else ((), ())
    times = pa.array([day(number) for number in days], INSTANT)
    return pa.table({"entity": pa.array(entities, pa.string()), "time": times})


def cells(table: pa.Table) -> list[list[Any]]:
    return [list(row.values())[2:] for row in table.to_pylist()]


def test_each_row_is_answered_at_its_own_time(lake: Lake) -> None:
    asked = spine(("A", 1), ("B", 3), ("A", 4), ("B", 4), ("A", 5), ("A", 7), ("A", 9), ("A", -1), ("A", 1))
    table = feature_table(VIEW, asked, lake)
    assert table.column_names == ["entity", "time", *(feature.name for feature in VIEW.features)]
    assert table.select(["entity", "time"]) == asked
    assert cells(table) == [
        [11.0, "first", 11.0, 10.0, 100.0, "Energy"],
        [20.0, "first", 20.0, 20.0, 100.0, None],
        [11.0, "first", 11.0, 11.0, 100.0, "Energy"],  # as old as the dataset's ttl: still valid
        [None, None, None, 20.0, 100.0, None],  # withdrawn; the delayed feature does not know yet
        [None, None, 11.0, None, 100.0, "Utilities"],  # older than the dataset's ttl
        [None, None, 11.5, None, 100.0, "Utilities"],
        [None, "unpriced", None, None, 100.0, "Utilities"],  # a null inside a fact is an answer
        [None, None, None, None, None, None],
        [11.0, "first", 11.0, 10.0, 100.0, "Energy"],
    ]


def test_only_what_is_needed_is_read_and_each_dataset_once(lake: Lake) -> None:
    feature_table(VIEW, spine(("B", 3), ("A", 4)), lake)
    assert lake.asked == [
        ("prices", ["A", "B", "INDEX"], day(4), None),
        ("sectors", ["GICS/A", "GICS/B"], day(4), None),
    ]


def test_the_latest_cut_allows_for_the_smallest_delay(lake: Lake) -> None:
    late = Feature(name="late", dataset=PRICES, column="value", delay=timedelta(days=2))
    feature_table(FeatureView(name="late", doc="", features=(late,)), spine(("A", 4)), lake)
    assert lake.asked == [("prices", ["A"], day(2), None)]


def test_cuts_are_handed_to_the_reader_and_the_join(lake: Lake) -> None:
    table = feature_table(VIEW, spine(("A", 2)), lake, known_at=day(7), system_at=day(8))
    assert cells(table) == [[11.5, "revised", 11.5, 11.5, 100.0, "Energy"]]
    assert {(known, ingested) for _, _, known, ingested in lake.asked} == {(day(7), day(8))}
    replay = feature_table(VIEW, spine(("A", 2)), lake, known_at=day(7), system_at=day(5))
    assert cells(replay)[0][0] == 11.0


def test_an_empty_spine_has_every_column_and_no_row(lake: Lake) -> None:
    table = feature_table(VIEW, spine(), lake)
    assert table.num_rows == 0
    assert table.schema.field("close").type == pa.float64()
    assert lake.asked == [("prices", [], None, None), ("sectors", [], None, None)]


def test_further_columns_of_the_spine_are_kept(lake: Lake) -> None:
    asked = spine(("A", 1)).append_column("label", pa.array(["buy"]))
    assert feature_table(VIEW, asked, lake)["label"].to_pylist() == ["buy"]


def test_the_audit_finds_nothing_in_a_table_and_every_planted_cell_in_a_leaky_one(lake: Lake) -> None:
    asked = spine(("A", 1), ("A", 4), ("B", 3))
    table = feature_table(VIEW, asked, lake)
    sources = sources_for(VIEW, spine(("A", 9), ("B", 9)), lake)  # they hold what became known later, too
    assert audit_leaks(with_entity_keys(VIEW, table), sources).findings.num_rows == 0
    position = table.column_names.index("close")
    leaky = table.set_column(position, "close", pa.array([11.5, 11.0, 20.0]))
    findings = audit_leaks(with_entity_keys(VIEW, leaky), sources).findings
    assert [(row["entity"], row["time"], row["column"]) for row in findings.to_pylist()] == [("A", day(1), "close")]


@pytest.mark.parametrize(
    ("broken", "column"),
    [
        (spine(("A", 1)).drop_columns(["entity"]), "entity"),
        (spine(("A", 1)).drop_columns(["time"]), "time"),
        (spine(("A", 1)).set_column(1, "time", pa.array([day(1)], pa.timestamp("ns", "UTC"))), "time"),
        (spine(("A", 1)).set_column(0, "entity", pa.array([7])), "entity"),
        (spine(("A", 1)).set_column(0, "entity", pa.array([None], pa.string())), "entity"),
        (spine(("A", 1)).set_column(1, "time", pa.array([None], INSTANT)), "time"),
        (spine(("A", 1)).append_column("close", pa.array([1.0])), "close"),
    ],
)
def test_a_broken_spine_is_refused_by_column(lake: Lake, broken: pa.Table, column: str) -> None:
    with pytest.raises(SpineTableError) as caught:
        feature_table(VIEW, broken, lake)
    assert caught.value.column == column
    assert lake.asked == []


def test_a_naive_cut_is_refused(lake: Lake) -> None:
    with pytest.raises(NaiveTimeError):
        feature_table(VIEW, spine(("A", 1)), lake, known_at=day(1).replace(tzinfo=None))


def test_online_features_equal_the_offline_row_of_that_moment(lake: Lake) -> None:
    store = MemoryOnlineStore()
    for declared, name in ((PRICES, "prices"), (SECTORS, "sectors")):
        store.put(declared, lake.tables[name])
    asked = [(entity, moment) for entity in ("A", "B", "C", "unknown") for moment in range(-1, 45)]
    online = [online_features(VIEW, [entity], store, now=day(moment))[0] for entity, moment in asked]
    assert all(list(row) == [feature.name for feature in VIEW.features] for row in online)
    assert [list(row.values()) for row in online] == cells(feature_table(VIEW, spine(*asked), lake))
    together = online_features(VIEW, ["B", "A", "B"], store, now=day(5))
    assert together == [online_features(VIEW, [entity], store, now=day(5))[0] for entity in "BAB"]


def test_a_series_and_a_fact_are_read_as_known(lake: Lake) -> None:
    def values(**cuts: Any) -> Any:
        return series_as_known(PRICES, "A", lake, **cuts)["value"].to_pylist()

    assert values(known_at=day(5)) == [10.0, 11.0]
    assert values(known_at=day(20)) == [10.0, 11.5, None]
    assert values(known_at=day(20), start=day(1), end=day(9)) == [11.5]
    assert lake.asked[-1] == ("prices", ["A"], day(20), None)
    assert series_as_known(PRICES, "B", lake, known_at=day(5)).num_rows == 0
    versions = fact_history(PRICES, "B", day(2), lake)
    assert versions["op"].to_pylist() == ["upsert", "delete"]
    assert fact_history(PRICES, "B", day(2), lake, known_at=day(3))["op"].to_pylist() == ["upsert"]


def test_what_is_not_declared_is_refused_with_what_is() -> None:
    with pytest.raises(UnknownViewError, match="equity_daily"):
        find_view("nothing")
    with pytest.raises(UnknownDatasetError, match="prices_daily"):
        find_dataset("nothing")
    with pytest.raises(UnknownDatasetError, match="prices_daily"):
        find_series("trades")
    with pytest.raises(UnknownDatasetError, match="of stream nothing"):
        dataset_of("nothing")


def test_a_feature_may_not_outlast_its_dataset():
    with pytest.raises(FeatureTtlError, match="close: ttl 4 days, 0:00:00 is longer than the 3 days"):
        Feature(name="close", dataset=PRICES, column="value", ttl=timedelta(days=4))
