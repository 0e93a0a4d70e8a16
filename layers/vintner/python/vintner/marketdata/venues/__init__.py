"""Venues, declared as data: their calendars, symbols, ticks and sale conditions."""

from vintner.marketdata.venues.conditions import (
    ALL,
    HIGH_LOW,
    OPEN_CLOSE,
    VOLUME,
    Condition,
    ConditionTable,
    Reading,
    Scope,
)
from vintner.marketdata.venues.declared import VENUES
from vintner.marketdata.venues.errors import UnknownVenueError, VenueDeclarationError
from vintner.marketdata.venues.model import Venue, Venues
from vintner.marketdata.venues.tapes import CTA, TAPES, UTP
from vintner.marketdata.venues.ticks import RTS_11, RULE_612, US_TAPES, LiquidityTicks, Ticks, TickTable, one_tick

__all__ = [
    "ALL", "CTA", "HIGH_LOW", "OPEN_CLOSE", "RTS_11", "RULE_612", "TAPES", "US_TAPES", "UTP", "VENUES", "VOLUME",
    "Condition", "ConditionTable", "LiquidityTicks", "Reading", "Scope", "TickTable", "Ticks", "UnknownVenueError",
    "Venue", "VenueDeclarationError", "Venues", "one_tick",
]  # fmt: skip
