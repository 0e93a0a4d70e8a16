"""Venues are declared right: ticks as the rules state them, conditions as the tapes do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.venues import (
    CTA,
    HIGH_LOW,
    OPEN_CLOSE,
    RTS_11,
    RULE_612,
    UTP,
    VENUES,
    VOLUME,
    Condition,
    ConditionTable,
    Scope,
    TickTable,
    UnknownVenueError,
    Venue,
    VenueDeclarationError,
    Venues,
    one_tick,
)

# The Annex of RTS 11, line by line: lower end of the price range, ticks of liquidity bands 1 to 6.
ANNEX: Final = """
0     0.0005 0.0002 0.0001 0.0001 0.0001 0.0001
0.1   0.001  0.0005 0.0002 0.0001 0.0001 0.0001
0.2   0.002  0.001  0.0005 0.0002 0.0001 0.0001
0.5   0.005  0.002  0.001  0.0005 0.0002 0.0001
1     0.01   0.005  0.002  0.001  0.0005 0.0002
2     0.02   0.01   0.005  0.002  0.001  0.0005
5     0.05   0.02   0.01   0.005  0.002  0.001
10    0.1    0.05   0.02   0.01   0.005  0.002
20    0.2    0.1    0.05   0.02   0.01   0.005
50    0.5    0.2    0.1    0.05   0.02   0.01
100   1      0.5    0.2    0.1    0.05   0.02
200   2      1      0.5    0.2    0.1    0.05
500   5      2      1      0.5    0.2    0.1
1000  10     5      2      1      0.5    0.2
2000  20     10     5      2      1      0.5
5000  50     20     10     5      2      1
10000 100    50     20     10     5      2
20000 200    100    50     20     10     5
50000 500    200    100    50     20     10
"""

# As published: consolidated last, consolidated high/low, participant last, participant high/low, volume.
# y yes, n no, d depends on what came before it.
CTS: Final = """
@ yyyyy  B nnnny  C nnnny  E yyyyy  F yyyyy  H nnnny  I nnnny  K yyyyy  L dyyyy  M nnyyn  O yyyyy  P dydyy
Q nnnyn  R nnnny  T nnnny  U nnnny  V nnnny  X yyyyy  Z dydyy  4 dydyy  5 yyyyy  6 yyyyy  7 nnnny  9 yynnn
"""
UTDF: Final = """
@ yyyyy  A yyyyy  B yyyyy  C nnnny  D yyyyy  F yyyyy  G dydyy  H nnnny  I nnnny  K yyyyy  L dyyyy  M nnyyn
O yyyyy  P dydyy  Q nnnyn  R nnnny  S yyyyy  T nnnny  U nnnny  V nnnny  W nnnny  X yyyyy  Y yyyyy  Z dydyy
1 yyyyy  4 dydyy  5 yyyyy  6 yyyyy  7 nnnny  9 yynnn
"""


def test_ticks_of_europe_are_those_of_the_annex() -> None:
    rows = [[Decimal(word) for word in line.split()] for line in ANNEX.strip().splitlines()]
    for band, table in enumerate(RTS_11.tables, start=1):
        assert list(table.bands) == [(row[0], row[band]) for row in rows]
    assert [RTS_11.table(band) is None for band in (None, 0, 1, 6, 7)] == [True, True, False, False, True]


@pytest.mark.parametrize(
    ("price", "tick"), [("0", "0.0001"), ("0.9999", "0.0001"), ("1", "0.01"), ("700000", "0.01"), ("-1", "0.0001")]
)
def test_ticks_of_the_us_change_at_a_dollar(price: str, tick: str) -> None:
    assert RULE_612.tick_at(Decimal(price)) == Decimal(tick)


@pytest.mark.parametrize(("table", "published"), [(CTA, CTS), (UTP, UTDF)], ids=["CTS", "UTDF"])
def test_conditions_count_for_what_the_tape_publishes(table: ConditionTable, published: str) -> None:
    words = published.split()
    expected = dict(zip(words[::2], words[1::2], strict=True))
    assert set(table.codes) - {"N"} == set(expected)  # N is reserved since next-day settlement is regular
    for code, answers in expected.items():
        yes = [answer == "y" for answer in answers]
        for scope, first in ((Scope.CONSOLIDATED, 0), (Scope.MARKET_CENTER, 2)):
            counts = yes[first] * OPEN_CLOSE + yes[first + 1] * HIGH_LOW + yes[4] * VOLUME
            reading = table.read(code, scope)
            assert reading is not None
            assert reading.counts == counts, (code, scope)
            assert reading.closing == (code in "M69")


def test_a_trade_counts_for_what_all_its_conditions_allow() -> None:
    reading = UTP.read("@6 I", Scope.MARKET_CENTER)
    assert reading is not None
    assert (reading.counts, reading.closing) == (VOLUME, True)
    assert UTP.read("@8", Scope.MARKET_CENTER) is None
    assert (
        UTP.read(None, Scope.CONSOLIDATED) == UTP.read("   ", Scope.CONSOLIDATED) == UTP.read("@", Scope.CONSOLIDATED)
    )


def test_every_calendar_that_a_venue_names_is_known() -> None:
    names = load_sessions().names
    assert [venue.code for venue in VENUES if venue.calendar not in (None, *names)] == []


def test_venues_that_name_their_instruments_number_their_trades() -> None:
    assert {venue.code for venue in VENUES if venue.self_named} == {"binance-spot", "binance-usdm"}
    assert all(venue.dense for venue in VENUES if venue.self_named)


def test_a_venue_that_is_not_declared_is_named() -> None:
    with pytest.raises(UnknownVenueError) as unknown:
        VENUES["XXXX"]
    assert "XNYS" in unknown.value.known


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "a/b"),
        ("code", "a@b"),
        ("code", ""),
        ("code", "x" * 33),
        ("most_price", Decimal(0)),
        ("most_size", Decimal(10) ** 10),
        ("event_ahead", timedelta(seconds=-1)),
        ("lateness", timedelta(days=-1)),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(field: str, value: Any) -> None:
    with pytest.raises(VenueDeclarationError) as refused:
        Venue(**({"code": "x", "name": "X"} | {field: value}))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "bands",
    [
        (),
        ((Decimal(1), Decimal(1)),),
        ((Decimal(0), Decimal(0)),),
        ((Decimal(0), Decimal("0.000000001")),),
        ((Decimal(0), Decimal(1)), (Decimal(0), Decimal(2))),
    ],
)
def test_a_tick_table_with_a_hole_is_refused(bands: tuple[tuple[Decimal, Decimal], ...]) -> None:
    with pytest.raises(VenueDeclarationError):
        TickTable(name="t", source="s", bands=bands)


def test_what_is_declared_twice_is_refused() -> None:
    venue = Venue(code="x", name="X", quote_ticks=one_tick("t", "s", "0.5"))
    with pytest.raises(VenueDeclarationError) as twice:
        Venues([venue, venue])
    assert twice.value.name == "x"
    with pytest.raises(VenueDeclarationError):
        ConditionTable("t", "s", [Condition(code="I", name="a"), Condition(code="I", name="b")])


@pytest.mark.parametrize("wrong", [{"code": "AB"}, {"code": " "}, {"code": "A", "consolidated": 8}])
def test_a_condition_that_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(VenueDeclarationError):
        Condition(**{"name": "n", **wrong})
