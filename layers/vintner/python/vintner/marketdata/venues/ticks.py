"""Price ticks: the steps that prices of a venue move in, by price band and, in Europe, by liquidity band.

A price is on its tick when it is a whole multiple of the tick of the band it is in; a band includes its lower end.
Rules about ticks bind orders and quotes. Executions may lie between two ticks: a midpoint, or a price improved by a
fraction of a cent. So a venue declares the ticks of its quotes and of its trades apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from vintner.marketdata.venues.errors import VenueDeclarationError

UNIT: Final = Decimal("0.00000001")
"""The smallest step a record can state."""

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickTable:
    """Tick by price.

    Parameters
    ----------
    name
        Short name.
    source
        The rule it is taken from.
    bands
        Lower end of each price band (included) and the tick in it, the first from zero, growing.

    Raises
    ------
    VenueDeclarationError
        Bands that do not start at zero or do not grow; a tick that is not positive or finer than 1e-8.

    Examples
    --------
    >>> RULE_612.tick_at(Decimal("0.9999")), RULE_612.tick_at(Decimal(1))
    (Decimal('0.0001'), Decimal('0.01'))
    """

    name: str
    source: str
    bands: tuple[tuple[Decimal, Decimal], ...]

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.bands]
        if not starts or starts[0] != _ZERO or sorted(set(starts)) != starts:
            raise self._wrong("do not grow from zero", "state the lower ends 0 < … in order, each once")
        if any(tick <= _ZERO or tick % UNIT for _, tick in self.bands):
            raise self._wrong("have a tick that no price can keep", "state positive ticks of at most eight places")

    def tick_at(self, price: Decimal) -> Decimal:
        """Return the tick at a price; that of the first band for a price that is not positive."""
        found = self.bands[0][1]
        for start, tick in self.bands:
            if price >= start:
                found = tick
        return found

    def _wrong(self, rule: str, remedy: str) -> VenueDeclarationError:
        return VenueDeclarationError(what="tick table", name=self.name, field="bands", rule=rule, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidityTicks:
    """Tick tables by liquidity band: the band of an instrument, 1 to 6, is stated with its symbol, as of time.

    Where it is not stated, no tick is known and none is checked.
    """

    name: str
    source: str
    tables: tuple[TickTable, ...]

    def table(self, band: int | None) -> TickTable | None:
        """Return the table of a liquidity band, or None where there is none."""
        return self.tables[band - 1] if band is not None and 1 <= band <= len(self.tables) else None


Ticks = TickTable | LiquidityTicks


def one_tick(name: str, source: str, tick: str) -> TickTable:
    """Return a table of one tick at every price."""
    return TickTable(name=name, source=source, bands=((_ZERO, Decimal(tick)),))


RULE_612: Final = TickTable(
    name="us-quotes",
    source="SEC Rule 612 (17 CFR 242.612): 0.01 from 1.00 dollar, 0.0001 below",
    bands=((_ZERO, Decimal("0.0001")), (Decimal(1), Decimal("0.01"))),
)
"""Least increments of bids and offers in NMS stocks, in dollars.

The amendment of 2024 (Release 34-101070) adds 0.005 for stocks quoted with a spread of 0.015 or less, assigned stock by
stock twice a year. Compliance was put off to November 2026 (Release 34-104172) and again to the first business day
of November 2027 (Release 34-105656). Such a stock states its tick with its symbol; that goes before this table.
"""

US_TAPES: Final = one_tick("us-trades", "CTS and UTDF long form: prices of six decimal places", "0.000001")
"""Executions in NMS stocks: Rule 612 does not bind them, so only what the tapes can carry is checked."""

_RTS_11_STARTS: Final = "0 0.1 0.2 0.5 1 2 5 10 20 50 100 200 500 1000 2000 5000 10000 20000 50000"
_RTS_11_STEPS: Final = "0.0001 0.0002 0.0005 0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 20 50 100 200 500"


def _rts_11(band: int) -> TickTable:
    """Each row of the Annex is one step coarser than the row before, each band one step finer; 0.0001 is the finest."""
    starts = [Decimal(start) for start in _RTS_11_STARTS.split()]
    steps = [Decimal(step) for step in _RTS_11_STEPS.split()]
    ticks = [steps[max(row + 3 - band, 0)] for row in range(len(starts))]
    return TickTable(name=f"rts-11-band-{band}", source=RTS_11_SOURCE, bands=tuple(zip(starts, ticks, strict=True)))


RTS_11_SOURCE: Final = "MiFID II RTS 11 (Commission Delegated Regulation (EU) 2017/588), Annex"

RTS_11: Final = LiquidityTicks(name="rts-11", source=RTS_11_SOURCE, tables=tuple(_rts_11(band) for band in range(1, 7)))
"""Least ticks of orders in shares, depositary receipts and funds; liquidity bands 1 (fewest trades) to 6."""
