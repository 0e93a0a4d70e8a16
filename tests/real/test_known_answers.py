"""Restatements that are on record: what the statistical offices and the companies said, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.real_data import Stated, collection
from vintner.bitemporal import as_of, exact, history, vintage

MOMENT: Final = timedelta(microseconds=1)

# The day a vintage of the real-time data set counts as known, and the growth of 2008 Q4 on the quarter before at an
# annual rate, as the Bureau of Economic Analysis had last published it by then.
US_GDP_2008_Q4: Final = {
    "2009-02-16": -3.8,  # advance estimate of 2009-01-30
    "2009-05-16": -6.3,  # third estimate of 2009-03-26
    "2009-08-16": -5.4,  # comprehensive revision
    "2010-08-16": -6.8,
    "2011-08-16": -8.9,
    "2013-08-16": -8.3,
    "2014-08-16": -8.2,
    "2018-08-16": -8.4,
    "2021-08-16": -8.5,
}

# The day after each release, the quarter, and its growth at an annual rate as the release said.
US_GDP_2016: Final = (
    ("2016-07-30", 6, 1.2),
    ("2016-08-27", 6, 1.1),
    ("2016-09-30", 6, 1.4),
    ("2016-10-29", 9, 2.9),
    ("2016-11-30", 9, 3.2),
    ("2016-12-23", 9, 3.5),
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def of(name: str, entity: str) -> pa.Table:
    facts = collection(name).facts
    return facts.filter(pc.equal(facts["entity"], entity))


def growth(facts: pa.Table, event: datetime, before: datetime, known_at: datetime, *, power: int) -> float:
    """Return the growth between two quarters, both as known at one instant, percent."""
    now, then = (exact(facts, event_time=at, known_at=known_at)["value"][0].as_py() for at in (event, before))
    return float(((now / then) ** power - 1) * 100)


def test_us_gdp_of_2008_q4_by_vintage() -> None:
    facts = of("philadelphia", "ROUTPUT")
    quarters = day("2008-12-31"), day("2008-09-30")
    assert exact(facts, event_time=quarters[0], known_at=day("2009-02-16") - MOMENT).num_rows == 0
    told = -3.8
    for known, published in US_GDP_2008_Q4.items():
        assert round(growth(facts, *quarters, day(known), power=4), 1) == published, known
        if known != "2009-02-16":
            assert round(growth(facts, *quarters, day(known) - MOMENT, power=4), 1) == told, known
        told = published


def test_the_newest_quarter_moves_on() -> None:
    facts = of("philadelphia", "ROUTPUT")
    newest = {known: as_of(facts, at=day(known))["event_time"][0].as_py() for known in US_GDP_2008_Q4}
    assert newest["2009-02-16"] == day("2008-12-31")
    assert newest["2009-05-16"] == day("2009-03-31")
    assert newest["2021-08-16"] == day("2021-06-30")


@pytest.mark.parametrize(("known", "month", "published"), US_GDP_2016)
def test_us_gdp_of_2016_as_released(known: str, month: int, published: float) -> None:
    facts = of("alfred", "GDPC1")
    ends = {3: day("2016-03-31"), 6: day("2016-06-30"), 9: day("2016-09-30")}
    newest = as_of(facts, at=day(known))
    assert newest["event_time"].to_pylist() == [ends[month]]
    assert round(growth(facts, ends[month], ends[month - 3], day(known), power=4), 1) == published


def test_uk_gdp_of_2008_q3_from_a_package() -> None:
    facts = of("uk-vintages", "gdpkp")
    quarters = day("2008-09-30"), day("2008-06-30")
    known = history(facts, entity="gdpkp", event_time=quarters[0])["knowledge_time"].to_pylist()
    assert round(growth(facts, *quarters, known[0], power=1), 2) == -0.42
    assert round(growth(facts, *quarters, known[-1], power=1), 2) == -1.64


def test_days_of_the_value_factor_were_rewritten() -> None:
    facts = of("french-3", "hml")
    one = day("2000-05-22")
    told = {
        "2020-01-31": -0.30,  # the file that ends in 2019-12, a month later
        "2020-11-30": 0.47,
        "2023-02-28": 0.42,
    }
    for known, value in told.items():
        assert exact(facts, event_time=one, known_at=day(known))["value"].to_pylist() == [value]
    first, last = (vintage(facts, known_at=day(known)) for known in ("2019-01-31", "2024-08-31"))
    assert first.num_rows == 24_391
    latest = dict(zip(last["event_time"].to_pylist(), last["value"].to_pylist(), strict=True))
    changed = [d for d, v in zip(first["event_time"].to_pylist(), first["value"].to_pylist(), strict=True)
               if latest[d] != v]  # fmt: skip
    assert len(changed) == 18_588


def test_apple_restated_its_assets_in_an_amendment() -> None:
    entity, balance = "320193/Assets/0/USD/", day("2008-09-30")
    facts = of("sec-filings", entity)
    amended = datetime(2010, 1, 25, 21, 26, tzinfo=UTC)  # 16:26 in New York
    before = exact(facts, event_time=balance, known_at=amended - MOMENT)
    after = exact(facts, event_time=balance, known_at=amended)
    assert (before["value"].to_pylist(), after["value"].to_pylist()) == ([39_572e6], [36_171e6])


def test_every_restated_figure_of_the_filings_changes_when_its_amendment_is_accepted() -> None:
    real = collection("sec-filings")
    facts: dict[tuple[str, datetime], list[Stated]] = {}
    for row in real.rows:
        facts.setdefault((row.entity, row.event), []).append(row)
    restated = [own for own in facts.values() if len({row.value for row in own if row.value is not None}) > 1]
    assert len(restated) == 2_134
    last = {(own[-1].entity, own[-1].event): own[-1].value for own in restated}
    end = vintage(real.facts, known_at=max(row.known for row in real.rows))
    found = {
        (entity, event): value
        for entity, event, value in zip(
            *(end[name].to_pylist() for name in ("entity", "event_time", "value")), strict=True
        )
        if (entity, event) in last
    }
    assert found == last
