"""The venues the platform knows."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from vintner.marketdata.venues.conditions import ConditionTable, Scope
from vintner.marketdata.venues.model import Venue, Venues
from vintner.marketdata.venues.tapes import CTA, TAPES, UTP
from vintner.marketdata.venues.ticks import RTS_11, RULE_612, US_TAPES

_MOST_SHARES: Final = Decimal(1_000_000_000)


def _crypto(code: str, name: str) -> Venue:
    """Trades round the clock, numbers its trades by symbol without holes, and names instruments by its symbols."""
    return Venue(
        code=code,
        name=name,
        dense=True,
        self_named=True,
        trades_on_tick=True,
        most_price=Decimal(1_000_000_000),
    )


def _us(code: str, name: str, conditions: ConditionTable, scope: Scope = Scope.MARKET_CENTER) -> Venue:
    return Venue(
        code=code,
        name=name,
        calendar="XNAS" if code == "XNAS" else "XNYS",
        quote_ticks=RULE_612,
        trade_ticks=US_TAPES,
        conditions=conditions,
        scope=scope,
        most_price=Decimal(10_000_000),
        most_size=_MOST_SHARES,
    )


def _european(code: str, name: str) -> Venue:
    return Venue(
        code=code, name=name, calendar=code, quote_ticks=RTS_11, most_price=Decimal(10_000_000), most_size=_MOST_SHARES
    )


VENUES: Final = Venues(
    [
        _crypto("binance-spot", "Binance, spot"),
        _crypto("binance-usdm", "Binance, USD-margined futures"),
        _us("XNYS", "New York Stock Exchange", CTA),
        _us("ARCX", "NYSE Arca", CTA),
        _us("XNAS", "Nasdaq", UTP),
        _us("us-cta", "CTA consolidated tape (A and B)", CTA, Scope.CONSOLIDATED),
        _us("us-utp", "UTP consolidated tape (C)", UTP, Scope.CONSOLIDATED),
        _european("XLON", "London Stock Exchange"),
        _european("XPAR", "Euronext Paris"),
        _european("XETR", "Xetra"),
    ],
    tables=TAPES,
)
"""Every venue the platform takes records of."""
