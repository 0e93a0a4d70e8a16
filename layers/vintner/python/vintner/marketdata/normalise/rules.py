"""The rules a record is held to, in the order they are judged: a record is refused for the first it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MISSING: Final = "missing required field"
OUT_OF_RANGE: Final = "instant out of range"
UNKNOWN_VENUE: Final = "unknown venue"
MALFORMED: Final = "malformed symbol"
NEGATIVE: Final = "negative number"
FUTURE: Final = "event in the future"
TOO_LATE: Final = "event too old"
CLOCK_AHEAD: Final = "receive clock ahead"
UNKNOWN_SYMBOL: Final = "unknown symbol at that time"
UNKNOWN_SIDE: Final = "unknown side"
UNKNOWN_CONDITION: Final = "unknown condition"
HALF_SIDE: Final = "half a side"
NOT_POSITIVE: Final = "not positive"
ABSURD: Final = "absurdly large"
WRONG_UNIT: Final = "outside the symbol's range"
OFF_TICK: Final = "off tick"
OFF_LOT: Final = "off lot"
CROSSED: Final = "crossed quote"
TWICE: Final = "twice in one delivery"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field has to obey, and what to do where it does not."""

    field: str
    rule: str
    remedy: str


_SENT: Final = {
    "venue": "send the venue's code with every record",
    "symbol": "send the symbol as the venue writes it",
    "event_time": "send when it happened by the venue's clock; where the venue does not say, when it was received",
    "received_at": "send when the edge received it",
    "price": "send the price of the execution",
    "size": "send the quantity of the execution",
}
_CLOCKS: Final = ("event_time", "received_at")


def _identity(number: str, *required: str) -> tuple[Rule, ...]:
    sent = _SENT | {number: "send the venue's own number of it"}
    return (
        *(Rule(field, MISSING, sent[field]) for field in ("venue", "symbol", number, *_CLOCKS, *required)),
        *(Rule(field, OUT_OF_RANGE, "send UTC microseconds from 1970 to 2199") for field in _CLOCKS),
        Rule("venue", UNKNOWN_VENUE, "declare the venue, then send the record again"),
        Rule("symbol", MALFORMED, "send 1 to 64 printable characters without blanks"),
        Rule(number, NEGATIVE, "send the venue's own number, from 0"),
        Rule("event_time", FUTURE, "set the edge's clock, or check the unit of the venue's time"),
        Rule("event_time", TOO_LATE, "check the unit of the time; land history by a draft of the dataset"),
        Rule("received_at", CLOCK_AHEAD, "set the producer's clock: it is ahead of the stream's"),
        Rule("symbol", UNKNOWN_SYMBOL, "state in symbols what it stood for and by when, then re-drive the record"),
    )


def _price(field: str) -> tuple[Rule, ...]:
    return (
        Rule(field, NOT_POSITIVE, "send a price above 0, or null for a side that is not there"),
        Rule(field, ABSURD, "check the feed's scale against the venue's largest price"),
        Rule(field, WRONG_UNIT, "check the unit: pence or pounds, a contract or a coin"),
        Rule(field, OFF_TICK, "check the feed's scale, or state the symbol's tick as it was then"),
    )


def _size(field: str) -> tuple[Rule, ...]:
    return (
        Rule(field, NOT_POSITIVE, "send a size above 0, or null for a side that is not there"),
        Rule(field, ABSURD, "check the feed's scale against the venue's largest size"),
        Rule(field, OFF_LOT, "check the feed's unit, or state the symbol's lot as it was then"),
    )


def _side(price: str, size: str) -> tuple[Rule, ...]:
    both = "send price and size of a side together, or neither"
    return Rule(price, HALF_SIDE, both), Rule(size, HALF_SIDE, both), *_price(price), *_size(size)


def _twice(number: str) -> Rule:
    return Rule(number, TWICE, "number each record of a symbol once; a correction has its own number")


TRADE_RULES: Final = (
    *_identity("trade_id", "price", "size"),
    Rule("aggressor", UNKNOWN_SIDE, "send buy, sell or null"),
    Rule("conditions", UNKNOWN_CONDITION, "add the code to the venue's condition table, then re-drive the record"),
    *_price("price"),
    *_size("size"),
    _twice("trade_id"),
)
"""Rules of trades, in order."""

QUOTE_RULES: Final = (
    *_identity("update_id"),
    *_side("bid", "bid_size"),
    *_side("ask", "ask_size"),
    Rule("bid", CROSSED, "check the feed: this venue's own book cannot cross"),
    _twice("update_id"),
)
"""Rules of quotes, in order."""
