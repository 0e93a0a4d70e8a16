"""What a venue declares: its clock, its symbols, its ticks, its sale conditions, and what it may get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from vintner.marketdata.venues.conditions import ConditionTable, Scope
from vintner.marketdata.venues.errors import UnknownVenueError, VenueDeclarationError
from vintner.marketdata.venues.ticks import Ticks

CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}")
"""Codes of venues: no slash and no at sign, so that ``venue/symbol`` and ``SYMBOL@venue`` can be taken apart."""

LARGEST: Final = Decimal("9999999999.99999999")
"""The largest price or size that a record can state."""

AHEAD: Final = timedelta(seconds=5)
LATENESS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue, declared.

    Parameters
    ----------
    code
        ISO 10383 market identifier code, or a name where there is none.
    name
        What it is called.
    calendar
        Name of the calendar of its sessions, or None where it trades round the clock.
    dense
        Whether trade ids of a symbol follow each other without a hole, so that a hole is a gap.
    self_named
        Whether each symbol stands for itself (``SYMBOL@venue``). Otherwise it has to be mapped, as of time.
    quote_ticks, trade_ticks
        The steps that prices of quotes and of trades move in, or None. The tick that a symbol states itself goes before
        that of quotes; before that of trades only if ``trades_on_tick``.
    trades_on_tick
        Whether executions keep to the instrument's own tick.
    conditions
        How sale conditions are read, or None where they say nothing about what a trade counts for. The table that a
        symbol states goes before it: a market center reports by the tape of the listing.
    scope
        Whose statistics its trades make.
    may_cross
        Whether a bid at or above the offer is a state of its market. If not, such a quote is wrong.
    most_price, most_size
        Largest price and size that are not absurd.
    event_ahead
        How far the clock of the venue may run ahead of that of the receiver.
    receive_ahead
        How far the clock of the receiver may run ahead of the stream's.
    lateness
        Oldest event, before its receipt, that is still a record of the stream.

    Raises
    ------
    VenueDeclarationError
        A code that cannot be told from others, a bound or tolerance that is not positive.
    """

    code: str
    name: str
    calendar: str | None = None
    dense: bool = False
    self_named: bool = False
    quote_ticks: Ticks | None = None
    trade_ticks: Ticks | None = None
    trades_on_tick: bool = False
    conditions: ConditionTable | None = None
    scope: Scope = Scope.MARKET_CENTER
    may_cross: bool = True
    most_price: Decimal = LARGEST
    most_size: Decimal = LARGEST
    event_ahead: timedelta = AHEAD
    receive_ahead: timedelta = AHEAD
    lateness: timedelta = LATENESS

    def __post_init__(self) -> None:
        if not CODE.fullmatch(self.code):
            raise self._wrong("code", "is not 1 to 32 letters, digits, dots and hyphens", "shorten or respell it")
        for field in ("most_price", "most_size"):
            if not 0 < getattr(self, field) <= LARGEST:
                raise self._wrong(field, f"is not above 0 and at most {LARGEST}", "state what a record can hold")
        for field in ("event_ahead", "receive_ahead", "lateness"):
            if getattr(self, field) < timedelta(0):
                raise self._wrong(field, "is negative", "state a span of time")

    def _wrong(self, field: str, rule: str, remedy: str) -> VenueDeclarationError:
        return VenueDeclarationError(what="venue", name=self.code, field=field, rule=rule, remedy=remedy)


class Venues:
    """Declared venues by code, and the condition tables that symbols may name.

    Parameters
    ----------
    venues
        Each code once.
    tables
        Condition tables a symbol may name besides those of the venues.

    Raises
    ------
    VenueDeclarationError
        A code comes twice.

    Examples
    --------
    >>> venues = Venues([Venue(code="binance-spot", name="Binance", dense=True, self_named=True)])
    >>> venues["binance-spot"].dense, venues.get("XNYS")
    (True, None)
    """

    def __init__(self, venues: Iterable[Venue], tables: Mapping[str, ConditionTable] | None = None) -> None:
        listed = list(venues)
        self._by_code: Mapping[str, Venue] = MappingProxyType({venue.code: venue for venue in listed})
        if len(self._by_code) < len(listed):
            codes = [venue.code for venue in listed]
            twice = next(code for code in codes if codes.count(code) > 1)
            raise VenueDeclarationError(
                what="venue", name=twice, field="code", rule="is declared twice", remedy="keep one"
            )
        own = {venue.conditions.name: venue.conditions for venue in listed if venue.conditions}
        self.tables: Final[Mapping[str, ConditionTable]] = MappingProxyType({**(tables or {}), **own})

    def __iter__(self) -> Iterator[Venue]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: str) -> Venue | None:
        """Return a venue, or None."""
        return self._by_code.get(code)

    def __getitem__(self, code: str) -> Venue:
        if code not in self._by_code:
            raise UnknownVenueError(venue=code, known=", ".join(self._by_code))
        return self._by_code[code]
