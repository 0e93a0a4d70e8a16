"""Real vintages as fact tables, with the three clocks, and as the plain rows they were made from.

Each collection is read once. Its rule says when a value counts as known; ``ingested_at`` plays a platform that was
filled in one go at a start and has followed the source since, so older vintages are a backfill. Files that may not
be part of the project are looked for in the folder that the variable ``DATA`` names; data of packages is always there.
"""

from __future__ import annotations

import calendar
import csv
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from local.demo.sources.packaged import packaged_file
from vintner.bitemporal import INSTANT, fact_schema

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA: Final = fact_schema(pa.schema([("value", pa.float64()), ("source", pa.string())]))
_DAY: Final = timedelta(days=1)


class Stated(NamedTuple):
    """One row of a source: which value it stated of which fact, and when that was known and written here."""

    entity: str
    event: datetime
    known: datetime
    seq: int
    value: float | None
    ingested: datetime


@dataclass(frozen=True)
class Collection:
    """Real vintages: the rows in the order of ``(entity, event, known, seq)``, and the same as a fact table."""

    rows: list[Stated]
    facts: pa.Table


@cache
def collection(name: str) -> Collection:
    """Return a collection of :data:`COLLECTIONS`; skip the test where its file cannot be had."""
    rule = COLLECTIONS[name]
    rows = _numbered(rule.read(), started=rule.started)
    columns = list(zip(*rows, strict=True))
    facts = pa.table(
        {
            "entity": pa.array(columns[0], pa.string()),
            "event_time": pa.array(columns[1], INSTANT),
            "knowledge_time": pa.array(columns[2], INSTANT),
            "revision_seq": pa.array(columns[3], pa.int64()),
            "op": pa.repeat("upsert", len(rows)),
            "ingested_at": pa.array(columns[5], INSTANT),
            "value": pa.array(columns[4], pa.float64()),
            "source": pa.repeat(name, len(rows)),
        },
        schema=SCHEMA,
    )
    # The reads may not rely on an order: hand the rows over in one that no source has.
    return Collection(rows=rows, facts=facts.take(pc.sort_indices(facts, sort_keys=[("value", "descending")])))


def data_file(name: str) -> Path:
    """Return a file of the folder that ``DATA`` names, or skip the test."""
    folder = os.environ.get("DATA")
    if not folder:
        pytest.skip(f"{name} is not part of the project: run with DATA=<the folder of real data>")
    path = Path(folder) / name
    if not path.is_file():
        pytest.skip(f"{name} is not in the folder that DATA names")
    return path


def has_data() -> bool:
    """Return whether ``DATA`` names a folder."""
    return bool(os.environ.get("DATA"))


@cache
def midnight(day: date) -> datetime:
    """Return the first instant of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@cache
def month_end(day: date, months: int = 0) -> datetime:
    """Return the last day, at midnight UTC, of the month so many months after that of ``day``."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime(year, month + 1, calendar.monthrange(year, month + 1)[1], tzinfo=UTC)


Claim = tuple[str, datetime, datetime, float | None]


def _numbered(claims: Iterable[Claim], *, started: datetime) -> list[Stated]:
    """Order claims by fact and knowledge, number those of one instant, and say when each was written here."""
    ordered = sorted(enumerate(claims), key=lambda claim: (*claim[1][:3], claim[0]))
    rows: list[Stated] = []
    for (entity, event, known), together in groupby((claim for _, claim in ordered), key=lambda claim: claim[:3]):
        written = max(known, started) + timedelta(hours=6)
        rows += [Stated(entity, event, known, seq, claim[3], written) for seq, claim in enumerate(together)]
    return rows


def _rows(path: Path, *columns: str) -> Iterator[tuple[Any, ...]]:
    table = pq.read_table(path, columns=list(columns))
    return zip(*(table[name].to_pylist() for name in columns), strict=True)


def _philadelphia() -> Iterator[Claim]:
    """US series; a quarter's or month's value is about its last day, and known the day after the vintage's date."""
    with data_file("macro_vintages/us_rtdsm_series.csv").open(encoding="utf-8") as listing:
        months = {row["series"]: 2 if row["obs_frequency"] == "Q" else 0 for row in csv.DictReader(listing)}
    path = data_file("macro_vintages/us_rtdsm.parquet")
    for series, period, vintage, value in _rows(path, "series", "period", "vintage", "value"):
        yield series, month_end(period, months[series]), midnight(vintage) + _DAY, value


def _alfred() -> Iterator[Claim]:
    """US series with exact release days; the period is the month, of a quarter its last; known the day after."""
    path = data_file("macro_vintages/us_alfred_2016h2.parquet")
    for series, period, vintage, value in _rows(path, "series", "period", "vintage", "value"):
        yield series, month_end(period), midnight(vintage) + _DAY, value


def _swiss() -> Iterator[Claim]:
    """Quarterly series of Switzerland and others; known the day after the vintage."""
    path = data_file("macro_vintages/ch_realtime.parquet")
    for country, series, period, vintage, value in _rows(path, "country", "series", "period", "vintage", "value"):
        yield f"{country}/{series}", month_end(period, 2), midnight(vintage) + _DAY, value


def _french(file: str) -> Callable[[], Iterator[Claim]]:
    """Daily factors; a file counts as known a month after the last month it covers."""

    def read() -> Iterator[Claim]:
        for factor, day, vintage, value in _rows(data_file(file), "factor", "date", "crsp_vintage", "pct"):
            yield factor, midnight(day), month_end(date.fromisoformat(f"{vintage}-01"), 1), value

    return read


def _filings() -> Iterator[Claim]:
    """Figures of US filings; an entity is a company's tag, span, unit and co-registrant; known when accepted."""
    zone = ZoneInfo("America/New_York")
    stamps = _rows(data_file("fundamentals/sec_submissions.parquet"), "adsh", "cik", "accepted")
    accepted = {adsh: (cik, at.replace(tzinfo=zone).astimezone(UTC)) for adsh, cik, at in stamps}
    columns = ("adsh", "tag", "ddate", "qtrs", "uom", "coreg", "value")
    for adsh, tag, day, quarters, unit, coregistrant, value in _rows(
        data_file("fundamentals/sec_numbers.parquet"), *columns
    ):
        cik, known = accepted[adsh]
        event = datetime(day // 10_000, day // 100 % 100, day % 100, tzinfo=UTC)
        yield f"{cik}/{tag}/{quarters}/{unit}/{coregistrant or ''}", event, known, value


def _company_facts() -> Iterator[Claim]:
    """Every fact of two companies in the SEC's own JSON; known the day after it was filed, in the order of filings."""
    for cik in ("0001640147", "0001997711"):
        with gzip.open(data_file(f"fundamentals/companyfacts_CIK{cik}.json.gz")) as stream:
            taxonomies = json.load(stream)["facts"]
        for taxonomy, tags in taxonomies.items():
            for tag, told in tags.items():
                for unit, figures in told["units"].items():
                    for one in sorted(figures, key=lambda figure: (figure["filed"], figure["accn"])):
                        entity = f"{cik}/{taxonomy}:{tag}/{unit}/{one.get('start', '')}"
                        event, filed = (midnight(date.fromisoformat(one[name])) for name in ("end", "filed"))
                        yield entity, event, filed + _DAY, float(one["val"])


def _uk() -> Iterator[Claim]:
    """UK series, a package's file: quarterly vintages, known the day after the vintage's date."""
    path = packaged_file("forecast_evaluation", "data/files/fer_outturns.parquet")
    for series, period, vintage, value in _rows(path, "variable", "date", "vintage_date", "value"):
        yield series, midnight(period), midnight(vintage) + _DAY, value


@dataclass(frozen=True)
class _Rule:
    read: Callable[[], Iterator[Claim]]
    started: datetime


COLLECTIONS: Final = {
    "uk-vintages": _Rule(_uk, datetime(2015, 1, 1, tzinfo=UTC)),
    "philadelphia": _Rule(_philadelphia, datetime(2005, 1, 1, tzinfo=UTC)),
    "alfred": _Rule(_alfred, datetime(2016, 9, 1, tzinfo=UTC)),
    "swiss": _Rule(_swiss, datetime(2010, 1, 1, tzinfo=UTC)),
    "french-3": _Rule(_french("factors/ff3_daily_vintages.parquet"), datetime(2020, 6, 1, tzinfo=UTC)),
    "french-5": _Rule(_french("factors/ff5_daily_vintages.parquet"), datetime(2024, 9, 1, tzinfo=UTC)),
    "sec-filings": _Rule(_filings, datetime.combine(date(2010, 3, 1), time(), UTC)),
    "sec-company-facts": _Rule(_company_facts, datetime(2023, 1, 1, tzinfo=UTC)),
}
"""Every collection by name: how it is read, and from when on the platform followed it."""
