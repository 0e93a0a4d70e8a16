"""Binance's messages about a book: depth differences and snapshots, of spot and USD-M futures.

A difference is the ``depthUpdate`` of the diff depth streams: ``U`` and ``u`` are first and last update, ``pu``
(futures only) the last update of the difference before, ``b`` and ``a`` the levels as pairs of decimal texts, ``E``
when it was sent. A snapshot is the answer of the depth request: ``lastUpdateId``, ``bids``, ``asks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from vintner.marketdata.book.errors import BookMessageError
from vintner.marketdata.book.model import BookSnapshot, DepthDifference, Level

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def binance_difference(message: Mapping[str, Any]) -> DepthDifference:
    """Return the difference that a ``depthUpdate`` states.

    Raises
    ------
    BookMessageError
        Naming the field that is missing or makes no sense.

    Examples
    --------
    >>> message = {"e": "depthUpdate", "E": 1723161255208, "U": 3, "u": 4, "b": [["61737.63", "0"]], "a": []}
    >>> binance_difference(message).bids
    ((Decimal('61737.63'), Decimal('0')),)
    """
    what = "depth difference"
    previous = _whole(message, "pu", what) if "pu" in message else None
    first, last = _whole(message, "U", what), _whole(message, "u", what)
    if first > last:
        raise BookMessageError(message=what, field="U", rule=f"is {first}, above u", remedy="it is at most u")
    return DepthDifference(
        first_id=first,
        last_id=last,
        previous_id=previous,
        event_time=_EPOCH + timedelta(milliseconds=_whole(message, "E", what)),
        bids=_levels(message, "b", what),
        asks=_levels(message, "a", what),
    )


def binance_snapshot(message: Mapping[str, Any]) -> BookSnapshot:
    """Return the snapshot that an answer of the depth request states.

    Raises
    ------
    BookMessageError
        Naming the field that is missing or makes no sense.
    """
    what = "depth snapshot"
    return BookSnapshot(
        update_id=_whole(message, "lastUpdateId", what),
        bids=_levels(message, "bids", what),
        asks=_levels(message, "asks", what),
    )


def _whole(message: Mapping[str, Any], field: str, what: str) -> int:
    value = message.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BookMessageError(message=what, field=field, rule=f"is {value!r}", remedy="it is a whole number")
    return value


def _levels(message: Mapping[str, Any], field: str, what: str) -> tuple[Level, ...]:
    try:
        levels = tuple((Decimal(price), Decimal(size)) for price, size in message[field])
        sane = all(price.is_finite() and size.is_finite() and size >= 0 for price, size in levels)
    except (InvalidOperation, KeyError, TypeError, ValueError) as cause:
        raise _no_levels(what, field) from cause
    if not sane:
        raise _no_levels(what, field)
    return levels


def _no_levels(what: str, field: str) -> BookMessageError:
    rule, remedy = "is no list of levels", "a level is a price and a size that is not negative, as decimal texts"
    return BookMessageError(message=what, field=field, rule=rule, remedy=remedy)
