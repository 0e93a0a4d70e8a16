"""The packaged sources: shapes, clocks and versions of real data."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from local.demo.errors import PackagedDataMissingError
from local.demo.model import Feed
from local.demo.sources import PACKAGED, read_packaged
from local.demo.sources.clocks import Delay, changed_only, end_of, session_closes
from local.demo.sources.packaged import packaged_file
from vintner.bitemporal import history, vintage
from vintner.bitemporal.model import INGESTED_AT, INSTANT, VERSION_KEY
from vintner.marketdata import DATASETS


@pytest.fixture(scope="module")
def feeds() -> dict[str, Feed]:
    return dict(zip(PACKAGED, read_packaged(), strict=True))


def with_system_clock(feed: Feed) -> pa.Table:
    clock = pa.repeat(pa.scalar(datetime(2030, 1, 1, tzinfo=UTC), INSTANT), feed.rows)
    return feed.facts.append_column(pa.field(INGESTED_AT, INSTANT), clock)


def test_every_feed_is_rows_of_its_dataset_without_the_stores_own_columns(feeds: dict[str, Feed]) -> None:
    for feed in feeds.values():
        declared = DATASETS[feed.dataset].schema
        assert feed.facts.column_names[:5] == [*VERSION_KEY, "op"]
        for name in feed.facts.column_names:
            assert feed.facts.schema.field(name).type == declared.field(name).type, (feed.dataset, name)
            assert feed.facts[name].null_count == 0
        assert INGESTED_AT not in feed.facts.column_names


def test_no_feed_states_a_version_twice(feeds: dict[str, Feed]) -> None:
    for feed in feeds.values():
        distinct = feed.facts.group_by(list(VERSION_KEY)).aggregate([])
        assert distinct.num_rows == feed.rows


def test_nothing_is_known_before_it_is_about(feeds: dict[str, Feed]) -> None:
    for name, feed in feeds.items():
        assert pc.all(pc.less_equal(feed.facts["event_time"], feed.facts["knowledge_time"])).as_py(), name


def test_a_half_days_price_belongs_to_the_early_close(feeds: dict[str, Feed]) -> None:
    prices = feeds["us-prices"].facts
    days = {at.date(): (at, known) for at, known in zip(
        prices["event_time"].to_pylist(), prices["knowledge_time"].to_pylist(), strict=True)}  # fmt: skip
    assert days[date(2019, 11, 29)][0] == datetime(2019, 11, 29, 18, tzinfo=UTC)
    assert days[date(2019, 12, 2)][0] == datetime(2019, 12, 2, 21, tzinfo=UTC)
    assert all(known - at == timedelta(minutes=30) for at, known in days.values())
    assert min(days) == date(2019, 1, 2)


def test_every_price_has_an_instrument_known_before_it(feeds: dict[str, Feed]) -> None:
    instruments, prices = feeds["us-instruments"], feeds["us-prices"]
    assert instruments.entities == prices.entities
    assert pc.max(instruments.facts["knowledge_time"]).as_py() < pc.min(prices.facts["event_time"]).as_py()


def test_membership_takes_effect_at_midnight_in_new_york(feeds: dict[str, Feed]) -> None:
    facts = feeds["sp500-membership"].facts
    amd = facts.filter(pc.equal(facts["entity"], "SP500/AMD")).to_pylist()
    assert [(row["event_time"].isoformat(), row["member"]) for row in amd] == [
        ("2004-12-30T05:00:00+00:00", True),
        ("2013-09-23T04:00:00+00:00", False),
        ("2017-03-20T04:00:00+00:00", True),
    ]


def test_removed_and_added_on_one_day_is_one_fact_whose_last_version_wins(feeds: dict[str, Feed]) -> None:
    facts = feeds["sp500-membership"].facts
    fox = [row for row in facts.filter(pc.equal(facts["entity"], "SP500/FOX")).to_pylist()
           if row["event_time"].year == 2019]  # fmt: skip
    assert [(row["revision_seq"], row["member"]) for row in fox] == [(0, False), (1, True)]


@pytest.mark.parametrize(("known", "growth"), [(2009, -0.42), (2010, -0.73), (2012, -1.95), (2026, -1.64)])
def test_uk_growth_of_2008_q3_as_known_at_the_turn_of_a_year(feeds: dict[str, Feed], known: int, growth: float) -> None:
    facts = vintage(with_system_clock(feeds["uk-macro"]), known_at=datetime(known, 1, 1, tzinfo=UTC))
    levels = {row["event_time"].date(): row["value"] for row in facts.to_pylist() if row["entity"] == "uk.gdpkp"}
    assert round((levels[date(2008, 9, 30)] / levels[date(2008, 6, 30)] - 1) * 100, 2) == growth


def test_a_vintage_is_not_known_during_its_own_quarter(feeds: dict[str, Feed]) -> None:
    facts = with_system_clock(feeds["uk-macro"])
    versions = history(facts, entity="uk.gdpkp", event_time=datetime(2008, 9, 30, tzinfo=UTC))
    assert versions["knowledge_time"][0].as_py() == datetime(2009, 1, 1, tzinfo=UTC)
    assert versions["revision_seq"].to_pylist() == list(range(versions.num_rows))


def test_the_second_factor_file_states_only_what_it_adds_or_changes(feeds: dict[str, Feed]) -> None:
    facts = feeds["french-factors"].facts
    hml = facts.filter(pc.equal(facts["entity"], "us.hml.monthly"))
    stated = pc.value_counts(hml["knowledge_time"]).to_pylist()
    known = {row["values"].date(): row["counts"] for row in stated}
    assert set(known) == {date(2017, 4, 30), date(2018, 12, 30)}
    assert known[date(2017, 4, 30)] == 819
    assert 1109 - 819 < known[date(2018, 12, 30)] < 1109


def test_changed_only_against_a_walk_by_hand() -> None:
    def at(year: int) -> datetime:
        return datetime(year, 1, 1, tzinfo=UTC)

    stated = [("a", 1, 10, 1.0), ("a", 1, 11, 1.0), ("a", 1, 12, 2.0), ("a", 1, 13, 1.0), ("a", 2, 12, 5.0),
              ("b", 1, 10, 5.0), ("b", 1, 12, 5.0)]  # fmt: skip
    rows = [{"entity": e, "event_time": at(2000 + t), "knowledge_time": at(2000 + k), "value": v}
            for e, t, k, v in reversed(stated)]  # fmt: skip
    schema = pa.schema([("entity", pa.string()), ("event_time", INSTANT), ("knowledge_time", INSTANT),
                        ("value", pa.float64())])  # fmt: skip
    kept = changed_only(pa.Table.from_pylist(rows, schema=schema)).to_pylist()
    seen = [(r["entity"], r["event_time"].year - 2000, r["knowledge_time"].year - 2000, r["value"], r["revision_seq"])
            for r in kept]  # fmt: skip
    assert seen == [("a", 1, 10, 1.0, 0), ("a", 1, 12, 2.0, 1), ("a", 1, 13, 1.0, 2), ("a", 2, 12, 5.0, 0),
                    ("b", 1, 10, 5.0, 0)]  # fmt: skip
    assert changed_only(pa.Table.from_pylist([], schema=schema)).num_rows == 0


def test_calendar_rules() -> None:
    assert end_of(date(2024, 2, 1), "month") == date(2024, 2, 29)
    assert end_of(date(2024, 2, 1), "quarter") == date(2024, 3, 31)
    assert end_of(date(2024, 2, 1), "year") == date(2024, 12, 31)
    assert Delay.parse("1mo").on_calendar(date(2024, 1, 31)) == date(2024, 2, 29)
    assert Delay.parse("2mo 3d 1h 30m") == Delay(2, 3, timedelta(minutes=90))
    with pytest.raises(ValueError, match="is not a delay"):
        Delay.parse("soon")
    closes = session_closes("XNYS", date(1990, 1, 2), date(1990, 1, 5))
    assert closes[date(1990, 1, 2)] == datetime(1990, 1, 2, 21, tzinfo=UTC)
    assert date(1990, 1, 1) not in closes


def test_packages_are_read_and_never_imported(feeds: dict[str, Feed]) -> None:
    names = ("skfolio", "pitindex", "forecast_evaluation", "arch", "linearmodels")
    assert not [name for name in names if name in sys.modules]


def test_a_missing_package_names_the_remedy() -> None:
    with pytest.raises(PackagedDataMissingError, match=r"make demo.*data\.lock"):
        packaged_file("no_such_package_of_anybody", "data.csv")
    with pytest.raises(PackagedDataMissingError):
        packaged_file("pitindex", "data/no_such_file.csv")
