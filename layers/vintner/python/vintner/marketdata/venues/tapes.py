"""The sale conditions of the two consolidated tapes of US shares.

Read from the tables of the CTA's *CTS Pillar Output Specification* and of the UTP Plan's *UTP Data Feed Services
Specification* (UTDF) as dxFeed's documentation "TimeAndSale Sale Conditions" restates them column by column, and
compared with Polygon's glossary of conditions, which restates UTDF. The two agree but for ``R`` (Seller) on UTDF: the
older glossary lets it set high and low, dxFeed's table and CTS do not; it does not here.

How the columns become bits: "last" is open and close, and only where it is an unconditional yes; a yes with a note
(sold last in the consolidated statistics, sold out of sequence, prior reference price, derivatively priced) is a no.
The official open (``Q``) may set a market center's open but not its last: it has no bit, and the opening trade (``O``)
says the same price. Codes that the specifications keep in reserve (``8``; ``E`` on UTDF) are not known here.
"""

from __future__ import annotations

from typing import Final

from vintner.marketdata.venues.conditions import (
    HIGH_LOW,
    OPEN_CLOSE,
    VOLUME,
    Condition,
    ConditionTable,
)

_PRICES: Final = OPEN_CLOSE | HIGH_LOW
_NOT_LAST: Final = HIGH_LOW | VOLUME


def _regular(code: str, name: str) -> Condition:
    return Condition(code=code, name=name)


def _volume_only(code: str, name: str) -> Condition:
    return Condition(code=code, name=name, market_center=VOLUME, consolidated=VOLUME)


def _not_last(code: str, name: str) -> Condition:
    return Condition(code=code, name=name, market_center=_NOT_LAST, consolidated=_NOT_LAST)


# On both tapes.
_COMMON: Final = (
    _regular("@", "Regular Sale"),
    _volume_only("C", "Cash Trade (Same Day Clearing)"),
    _regular("F", "Intermarket Sweep Order"),
    _volume_only("H", "Price Variation Trade"),
    _volume_only("I", "Odd Lot Trade"),
    _regular("K", "Rule 127 or Rule 155 Trade"),
    Condition(code="L", name="Sold Last (Late Reporting)", consolidated=_NOT_LAST),
    Condition(code="M", name="Market Center Official Close", market_center=_PRICES, consolidated=0, closing=True),
    _volume_only("N", "Next Day Trade (now reserved)"),
    _regular("O", "Market Center Opening Trade"),
    _not_last("P", "Prior Reference Price"),
    Condition(code="Q", name="Market Center Official Open", market_center=HIGH_LOW, consolidated=0),
    _volume_only("R", "Seller"),
    _volume_only("T", "Extended Hours Trade (Form T)"),
    _volume_only("U", "Extended Hours Sold (Out of Sequence)"),
    _volume_only("V", "Contingent Trade"),
    _regular("X", "Cross or Periodic Auction Trade"),
    _not_last("Z", "Sold (Out of Sequence)"),
    _not_last("4", "Derivatively Priced"),
    _regular("5", "Market Center Reopening Trade"),
    Condition(code="6", name="Market Center Closing Trade", closing=True),
    _volume_only("7", "Qualified Contingent Trade"),
    Condition(code="9", name="Corrected Consolidated Close", market_center=0, consolidated=_PRICES, closing=True),
)

CTA: Final = ConditionTable(
    "cta",
    "CTA, CTS Pillar Output Specification: sale conditions (tapes A and B)",
    [
        *_COMMON,
        _volume_only("B", "Average Price Trade"),
        _regular("E", "Automatic Execution"),
    ],
)

UTP: Final = ConditionTable(
    "utp",
    "UTP Plan, UTP Data Feed Services Specification (UTDF): sale condition matrix (tape C)",
    [
        *_COMMON,
        _regular("A", "Acquisition"),
        _regular("B", "Bunched Trade"),
        _regular("D", "Distribution"),
        _not_last("G", "Bunched Sold Trade"),
        _regular("S", "Split Trade"),
        _volume_only("W", "Average Price Trade"),
        _regular("Y", "Yellow Flag Regular Trade"),
        _regular("1", "Stopped Stock (Regular Trade)"),
    ],
)

TAPES: Final = {table.name: table for table in (CTA, UTP)}
"""Condition tables by name."""
