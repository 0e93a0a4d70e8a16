"""Times in other zones than UTC: DuckDB keeps the instant of one and loses its zone.

So such a time may stand where only its instant counts. Where its zone could be shown, or its wall clock be read, it is
refused.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from local.athena.refusals import refuse

UTC_NAMES: Final = frozenset({"utc", "z", "etc/utc", "gmt", "+00:00", "-00:00", "+0000", "+00"})

_BLIND: Final = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In),
    *(exp.AtTimeZone, exp.TimeToUnix),
)
"""What looks at the instant of a time alone."""


def is_seen_as_instant(node: exp.Expr) -> bool:
    """Return whether whoever reads a time does not care for its zone."""
    reader = node.parent
    while isinstance(reader, exp.Paren):
        reader = reader.parent
    return isinstance(reader, _BLIND) or (isinstance(reader, exp.Anonymous) and reader.name.lower() == "at_timezone")


def refuse_zone(zone: str) -> Exception:
    """Return the error for a time whose zone would be lost."""
    return refuse(f"A time in {zone} outside a comparison", "write AT TIME ZONE 'UTC' behind it, or the time in UTC")
