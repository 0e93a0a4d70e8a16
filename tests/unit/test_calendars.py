"""The shipped sessions against the package they were made from, known days, and which bar an instant is in."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from local.calendars import CALENDARS, sessions_of
from local.ground.config import PROJECT
from vintner.bitemporal.model import INSTANT
from vintner.marketdata.calendars import (
    INTERVALS,
    ROUND_THE_CLOCK,
    Session,
    SessionTable,
    SessionTableError,
    UnknownCalendarError,
    UnknownIntervalError,
    bar_bounds,
    load_sessions,
    session_bounds,
)
from vintner.marketdata.calendars.table import DATA, SOURCE

NEW_YORK = ZoneInfo("America/New_York")


def micros(instant: datetime) -> int:
    return int(pa.scalar(instant, INSTANT).value)


def clock(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def local(zone: str, text: str) -> int:
    return micros(clock(zone, text))


def bar(interval: str, instant: int, calendar: str, *, is_close: bool = False) -> tuple[int, int] | None:
    table = load_sessions()
    return bar_bounds(interval, instant, table, table.index(calendar), is_close=is_close)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # exchange-calendars 4.13 under pandas 3.1
@pytest.mark.parametrize("name", CALENDARS)
def test_what_is_shipped_is_what_the_package_says(name: str) -> None:
    expected, zone = sessions_of(name)
    shipped = load_sessions()
    assert shipped.sessions(name).equals(expected)
    assert shipped.zones[name] == zone


def test_the_source_is_told() -> None:
    told = json.loads(SOURCE.read_text())
    assert told["version"] == version(told["package"])
    assert told["licence"] == "Apache-2.0"


def test_calendars_keep_their_numbers() -> None:
    """Engines hold these numbers in saved state: a failure here means one was moved."""
    first = ("XNYS", "XNAS", "XLON", "XPAR", "XETR", "XSWX", "XTKS", "XHKG", "CMES")
    assert load_sessions().names[: len(first)] == first
    assert load_sessions().names == CALENDARS


def test_the_data_is_small_and_in_the_package() -> None:
    assert DATA.stat().st_size < 200_000
    package_data = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert all(_carried(path, package_data["vintner"]) for path in (DATA, SOURCE))


def _carried(path: Path, patterns: list[str]) -> bool:
    return any(path.match(f"vintner/{pattern}") for pattern in patterns)


@pytest.mark.parametrize(
    ("calendar", "zone", "day", "opens", "closes", "half"),
    [
        ("XNYS", "America/New_York", "2026-11-27", "09:30", "13:00", True),  # the day after Thanksgiving
        ("XNAS", "America/New_York", "2024-07-03", "09:30", "13:00", True),  # before Independence Day
        ("XLON", "Europe/London", "2024-12-24", "08:00", "12:30", True),  # Christmas Eve
        ("XPAR", "Europe/Paris", "2024-03-28", "09:00", "17:30", False),
        ("XTKS", "Asia/Tokyo", "2024-11-01", "09:00", "15:00", False),  # the last day of the old close
        ("XTKS", "Asia/Tokyo", "2024-11-05", "09:00", "15:30", False),  # the first of the new one
        ("XHKG", "Asia/Hong_Kong", "2024-02-09", "09:30", "12:00", True),  # eve of the lunar new year
    ],
)
def test_known_days(calendar: str, zone: str, day: str, opens: str, closes: str, half: bool) -> None:
    table = load_sessions()
    start = clock(zone, f"{day}T{opens}")
    session = table.session_at(table.index(calendar), start)
    assert session is not None
    assert (session.opens_at, session.closes_at) == (start, clock(zone, f"{day}T{closes}"))
    assert (session.day, session.half_day) == (date.fromisoformat(day), half)


@pytest.mark.parametrize(
    ("calendar", "instant"),
    [
        ("XNYS", datetime(2001, 9, 12, 11, tzinfo=NEW_YORK)),  # closed after the attacks
        ("XNYS", datetime(2012, 10, 29, 11, tzinfo=NEW_YORK)),  # hurricane Sandy
        ("XNYS", datetime(2026, 7, 3, 11, tzinfo=NEW_YORK)),  # Independence Day on a Saturday
        ("XNYS", datetime(2026, 11, 21, 11, tzinfo=NEW_YORK)),  # a Saturday
        ("XNYS", datetime(2026, 11, 20, 16, tzinfo=NEW_YORK)),  # the close is not in the session
        ("XLON", datetime(2022, 9, 19, 11, tzinfo=ZoneInfo("Europe/London"))),  # the Queen's funeral
    ],
)
def test_known_closures(calendar: str, instant: datetime) -> None:
    table = load_sessions()
    assert table.session_at(table.index(calendar), instant) is None


@pytest.mark.parametrize(
    ("calendar", "before", "after"),
    [
        ("XNYS", date(2026, 3, 6), date(2026, 3, 9)),  # spring in America
        ("XNYS", date(2026, 10, 30), date(2026, 11, 2)),  # autumn in America
        ("XLON", date(2026, 3, 27), date(2026, 3, 30)),  # spring in Europe
        ("XETR", date(2026, 10, 23), date(2026, 10, 26)),  # autumn in Europe
    ],
)
def test_daylight_saving_moves_the_open_by_an_hour(calendar: str, before: date, after: date) -> None:
    rows = load_sessions().sessions(calendar)
    days = dict(zip(rows["day"].to_pylist(), rows["opens_at"].to_pylist(), strict=True))
    shift = (days[after] - days[before]) % timedelta(days=1)
    assert shift in (timedelta(hours=1), timedelta(hours=23))


def test_tokyo_knows_no_daylight_saving() -> None:
    opens = {at.astimezone(UTC).time() for at in load_sessions().sessions("XTKS")["opens_at"].to_pylist()}
    assert len(opens) == 1


def test_bars_are_aligned_to_the_open_and_cut_at_the_close() -> None:
    """Six and a half hours: the last bar of an hour has half of one, the second of four hours has two and a half."""
    last_minute = local("America/New_York", "2026-11-20T15:59")
    close = local("America/New_York", "2026-11-20T16:00")
    assert bar("1h", last_minute, "XNYS") == (local("America/New_York", "2026-11-20T15:30"), close)
    assert bar("4h", last_minute, "XNYS") == (local("America/New_York", "2026-11-20T13:30"), close)
    assert bar("1d", last_minute, "XNYS") == (local("America/New_York", "2026-11-20T09:30"), close)
    assert bar("1m", last_minute, "XNYS") == (last_minute, close)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # exchange-calendars 4.13 under pandas 3.1
@pytest.mark.parametrize("interval", ["5m", "15m", "1h", "4h"])
@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XETR", "XTKS", "XHKG", "CMES"])
def test_bars_are_those_of_the_package(calendar: str, interval: str) -> None:
    """Over weeks with a change of clocks in America and one in Europe, holidays and half days."""
    from exchange_calendars import get_calendar

    theirs = get_calendar(calendar, start="2026-01-01", end="2026-12-31")
    period = {"5m": "5min", "15m": "15min", "1h": "1h", "4h": "4h"}[interval]
    checked = 0
    for start, end in (("2026-03-05", "2026-04-08"), ("2026-10-22", "2026-11-03"), ("2026-11-23", "2026-12-28")):
        index = theirs.trading_index(start, end, period, intervals=True, force=True, ignore_breaks=True, parse=True)
        for bounds in index:
            opens, closes = (micros(edge.to_pydatetime()) for edge in (bounds.left, bounds.right))
            assert bar(interval, opens, calendar) == (opens, closes)
            assert bar(interval, closes - 1, calendar) == (opens, closes)
            checked += 1
    assert checked > 100


def test_a_half_day_has_fewer_bars() -> None:
    noon = local("America/New_York", "2026-11-27T12:45")
    end = local("America/New_York", "2026-11-27T13:00")
    assert bar("1h", noon, "XNYS") == (local("America/New_York", "2026-11-27T12:30"), end)


def test_a_closing_print_counts_in_the_last_bar() -> None:
    after = local("America/New_York", "2026-11-20T16:10")
    close = local("America/New_York", "2026-11-20T16:00")
    for interval in INTERVALS:
        assert bar(interval, after, "XNYS") is None
        assert bar(interval, after, "XNYS", is_close=True) == bar(interval, close - 1, "XNYS")


def test_a_closing_print_before_any_session_is_in_no_bar() -> None:
    assert bar("1m", local("America/New_York", "1999-01-05T16:00"), "XNYS", is_close=True) is None


def test_the_lunch_break_does_not_split_the_session() -> None:
    in_break = local("Asia/Tokyo", "2024-03-01T11:45")
    assert bar("5m", in_break, "XTKS") == (in_break, in_break + INTERVALS["5m"])
    opens, closes = local("Asia/Tokyo", "2024-03-01T09:00"), local("Asia/Tokyo", "2024-03-01T15:00")
    assert bar("1d", in_break, "XTKS") == (opens, closes)
    table = load_sessions()
    session = table.session_at(table.index("XTKS"), datetime(2024, 3, 1, 11, 45, tzinfo=ZoneInfo("Asia/Tokyo")))
    assert session is not None
    assert session.break_starts_at == datetime(2024, 3, 1, 11, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert session.break_ends_at == datetime(2024, 3, 1, 12, 30, tzinfo=ZoneInfo("Asia/Tokyo"))


def test_a_futures_session_opens_the_evening_before() -> None:
    evening = local("America/Chicago", "2026-11-18T18:00")
    held = session_bounds(evening, load_sessions(), load_sessions().index("CMES"))
    assert held == (local("America/Chicago", "2026-11-18T17:00"), local("America/Chicago", "2026-11-19T17:00"))


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_round_the_clock_bars_are_aligned_to_midnight_utc(interval: str) -> None:
    midnight = micros(datetime(2026, 11, 21, tzinfo=UTC))
    table = load_sessions()
    length = INTERVALS[interval]
    assert bar_bounds(interval, midnight, table, ROUND_THE_CLOCK) == (midnight, midnight + length)
    assert bar_bounds(interval, midnight - 1, table, ROUND_THE_CLOCK) == (midnight - length, midnight)
    assert bar_bounds(interval, -1, table, ROUND_THE_CLOCK) == (-length, 0)


def test_an_instant_after_the_table_is_in_no_bar() -> None:
    table = load_sessions()
    end = table.ends_at(0)
    assert bar_bounds("1m", micros(end) - 1, table, 0) is not None
    assert bar_bounds("1m", micros(end), table, 0) is None
    assert end.year == 2027


def test_names_that_are_not_there() -> None:
    with pytest.raises(UnknownCalendarError) as calendar:
        load_sessions().index("XXXX")
    assert "XNYS" in calendar.value.known
    with pytest.raises(UnknownIntervalError):
        bar_bounds("2m", 0, load_sessions(), ROUND_THE_CLOCK)


def at(hour: int) -> datetime:
    return datetime(2026, 1, 5, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "sessions",
    [
        [Session(day=date(2026, 1, 5), opens_at=at(9), closes_at=at(9))],
        [Session(day=date(2026, 1, 5), opens_at=at(9), closes_at=at(8))],
        [
            Session(day=date(2026, 1, 5), opens_at=at(9), closes_at=at(12)),
            Session(day=date(2026, 1, 6), opens_at=at(11), closes_at=at(13)),
        ],
    ],
)
def test_a_table_that_makes_no_sense_is_refused(sessions: list[Session]) -> None:
    with pytest.raises(SessionTableError):
        SessionTable.of({"X": sessions})


def test_a_calendar_in_two_places_is_refused() -> None:
    one = SessionTable.of({"A": [Session(day=date(2026, 1, 5), opens_at=at(9), closes_at=at(10))]}).sessions("A")
    other = SessionTable.of({"B": [Session(day=date(2026, 1, 5), opens_at=at(9), closes_at=at(10))]}).sessions("B")
    with pytest.raises(SessionTableError):
        SessionTable(pa.concat_tables([one, other, one]))


def test_an_empty_table_has_no_calendars() -> None:
    assert SessionTable.of({}).names == ()
