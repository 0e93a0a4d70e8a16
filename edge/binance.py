"""Binance, spot and USD-M futures: trades and best quotes.

Messages come as ``{"stream": …, "data": {…}}``. Prices and sizes are text and stay exact. Trade numbers are dense by
symbol, so a trade that was missed is seen; numbers of quotes only grow. The spot book ticker carries no time: its
``event_time`` is when it was received, by our clock.

Source: "Web Socket Streams for Binance" and "USDⓈ-M Futures: Websocket Market Streams" of Binance's API
documentation, and captures of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from vintner.messaging.errors import MessageRefusedError
from vintner.messaging.ingress import Message
from vintner.messaging.records import Quote, Side, Trade
from vintner.messaging.streams import Stream, lane_of

URLS: Final[Mapping[str, str]] = {
    "binance-spot": "wss://stream.binance.com:9443/stream",
    "binance-usdm": "wss://fstream.binance.com/stream",
}
CHANNELS: Final = ("trade", "bookTicker")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"\d{1,24}(\.\d{1,24})?", re.ASCII)
_LATEST_MS: Final = 253_402_300_799_000  # the end of the year 9999
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class BinanceAdapter:
    """An :class:`~vintner.messaging.ingress.Adapter` of one of Binance's venues.

    Parameters
    ----------
    venue
        ``binance-spot`` or ``binance-usdm``.
    symbols
        Symbols to subscribe to, as the venue writes them.
    channels
        ``trade``, ``bookTicker``.
    """

    venue: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...] = CHANNELS

    def on_connect(self) -> Sequence[str]:
        """Return the subscription."""
        wanted = [f"{symbol.lower()}@{channel}" for symbol in self.symbols for channel in self.channels]
        return [json.dumps({"method": "SUBSCRIBE", "params": wanted, "id": 1})]

    def decode(self, message: Message, *, received_at: datetime) -> Sequence[Trade | Quote]:
        """Return the trade or quote in a message; nothing for the answer to a subscription."""
        try:
            wire = json.loads(message)
        except (ValueError, RecursionError) as cause:
            raise _refused("message", "malformed bytes", "send JSON") from cause
        if not isinstance(wire, dict):
            raise _refused("message", "not an object", "send a JSON object")
        if "error" in wire or "code" in wire:
            raise _refused("subscription", "refused by the venue", "check symbols and channels")
        if wire.get("result", ...) is None:
            return ()
        data = wire.get("data", wire)
        if not isinstance(data, dict):
            raise _refused("data", "not an object", "send a JSON object")
        event = data.get("e", "bookTicker" if "u" in data else None)
        read = _READERS.get(event) if isinstance(event, str) else None
        if read is None:
            raise _refused("e", "unknown event", f"subscribe to {', '.join(_READERS)} only")
        return (read(self.venue, data, received_at),)

    def position(self, record: Trade | Quote) -> tuple[Hashable, int] | None:
        """Return a trade's number within its symbol."""
        return (record.symbol, record.trade_id) if isinstance(record, Trade) else None

    def lanes(self, stream: Stream) -> Iterable[int]:  # noqa: ARG002 - both streams are keyed alike
        """Return the lanes of the symbols."""
        return sorted({lane_of(self.venue, symbol) for symbol in self.symbols})


def _trade(venue: str, data: Mapping[str, Any], received_at: datetime) -> Trade:
    sold = data.get("m")
    if not isinstance(sold, bool):
        raise _refused("m", "not true or false", "say whether the buyer was the maker")
    return Trade(
        venue=venue,
        symbol=_text(data, "s"),
        trade_id=_whole(data, "t"),
        event_time=_instant(data, "T"),
        received_at=received_at,
        price=_decimal(data, "p"),
        size=_decimal(data, "q"),
        aggressor=Side.SELL if sold else Side.BUY,
        conditions=_text(data, "X") if "X" in data else None,
    )


def _quote(venue: str, data: Mapping[str, Any], received_at: datetime) -> Quote:
    bid, ask = _decimal(data, "b"), _decimal(data, "a")
    return Quote(
        venue=venue,
        symbol=_text(data, "s"),
        update_id=_whole(data, "u"),
        event_time=_instant(data, "T") if "T" in data else received_at,
        received_at=received_at,
        bid=bid or None,  # a side without orders has price and size 0
        bid_size=_decimal(data, "B") if bid else None,
        ask=ask or None,
        ask_size=_decimal(data, "A") if ask else None,
    )


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any], datetime], Trade | Quote]]] = {
    "trade": _trade,
    "bookTicker": _quote,
}


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isascii():
        raise _refused(name, "missing or not text", "send up to 100 ASCII characters")
    return value


def _whole(data: Mapping[str, Any], name: str, most: int = _LARGEST) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _refused(name, "not a whole number", f"send a number from 0 to {most}")
    return value


def _instant(data: Mapping[str, Any], name: str) -> datetime:
    return _EPOCH + timedelta(milliseconds=_whole(data, name, _LATEST_MS))


def _decimal(data: Mapping[str, Any], name: str) -> Decimal:
    value = data.get(name)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise _refused(name, "not a number as text", "send digits, as the venue does")
    return Decimal(value)


def _refused(name: str, rule: str, remedy: str) -> MessageRefusedError:
    return MessageRefusedError(field=name, rule=rule, remedy=remedy)
