"""Sale conditions: what a trade counts for, read from the codes its venue gave it.

1.  A table says of each code whether a trade with it may set the open and the close, may set the high and the low, and
    counts in the volume: once for the statistics of one market center, once for the consolidated ones.
2.  A trade with several codes counts for what all of them allow. One without any is a regular sale and counts for all.
3.  The tapes make some updates depend on what came before ("only if it is the only qualifying last"). Bars order
    trades by the time of their execution, not of their report, so such an update of open and close is not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from vintner.marketdata.venues.errors import VenueDeclarationError

OPEN_CLOSE: Final = 1
HIGH_LOW: Final = 2
VOLUME: Final = 4
ALL: Final = OPEN_CLOSE | HIGH_LOW | VOLUME
"""What a regular trade counts for."""


class Scope(StrEnum):
    """Whose statistics a stream of trades makes."""

    MARKET_CENTER = "market center"
    CONSOLIDATED = "consolidated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One sale condition.

    Parameters
    ----------
    code
        One character, as the venue writes it.
    name
        What it is called.
    market_center, consolidated
        What a trade with it counts for: a sum of :data:`OPEN_CLOSE`, :data:`HIGH_LOW` and :data:`VOLUME`.
    closing
        Whether it marks a closing print, which counts in the session's last bar although it comes after the close.
    """

    code: str
    name: str
    market_center: int = ALL
    consolidated: int = ALL
    closing: bool = False

    def __post_init__(self) -> None:
        if len(self.code) != 1 or self.code.isspace():
            raise self._wrong("code", "is not one character")
        if not all(0 <= counts <= ALL for counts in (self.market_center, self.consolidated)):
            raise self._wrong("counts", "are no sum of 1, 2 and 4")

    def counts(self, scope: Scope) -> int:
        """Return what a trade with this code counts for."""
        return self.market_center if scope is Scope.MARKET_CENTER else self.consolidated

    def _wrong(self, field: str, rule: str) -> VenueDeclarationError:
        return VenueDeclarationError(
            what="condition", name=self.code, field=field, rule=rule, remedy="state it as its table's source does"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a trade counts for, and whether it is a closing print."""

    counts: int
    closing: bool


class ConditionTable:
    """The sale conditions of a tape.

    Parameters
    ----------
    name
        Short name, by which a symbol may state that its trades are read by it.
    source
        The document it is taken from.
    conditions
        Every code that is known.

    Examples
    --------
    >>> table = ConditionTable("t", "an example", [Condition(code="I", name="odd lot", market_center=VOLUME)])
    >>> table.read("  I", Scope.MARKET_CENTER), table.read("?", Scope.MARKET_CENTER) is None
    (Reading(counts=4, closing=False), True)
    """

    def __init__(self, name: str, source: str, conditions: list[Condition]) -> None:
        self.name: Final = name
        self.source: Final = source
        self.codes: Final[Mapping[str, Condition]] = MappingProxyType({one.code: one for one in conditions})
        if len(self.codes) < len(conditions):
            raise VenueDeclarationError(
                what="condition table", name=name, field="conditions", rule="state a code twice", remedy="keep one"
            )

    def read(self, conditions: str | None, scope: Scope) -> Reading | None:
        """Return how a trade with these conditions counts, or None where a code is not known.

        Each character is a code, as on the tapes: ``"@ TI"`` and ``"@ T I"`` are the same three.
        """
        counts, closing = ALL, False
        for code in "".join((conditions or "").split()):
            condition = self.codes.get(code)
            if condition is None:
                return None
            counts &= condition.counts(scope)
            closing = closing or condition.closing
        return Reading(counts=counts, closing=closing)
