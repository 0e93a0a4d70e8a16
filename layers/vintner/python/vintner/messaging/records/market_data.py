"""Records of market data: trades, best quotes, bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import pyarrow as pa

from vintner.messaging.records.schema import Doc, record


class Side(StrEnum):
    """A side of the market."""

    BUY = "buy"
    SELL = "sell"


@record("trade", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution as a venue published it."""

    venue: Annotated[str, Doc("Code of the venue: its MIC, or a declared name such as binance-spot.")]
    symbol: Annotated[str, Doc("Symbol as the venue writes it.")]
    trade_id: Annotated[int, Doc("The venue's number of the trade, unique per symbol.")]
    event_time: Annotated[datetime, Doc("When it was executed, by the venue's clock.")]
    received_at: Annotated[datetime, Doc("When our edge received it, by the edge's clock.")]
    price: Annotated[Decimal, Doc("Price, in the instrument's currency.")]
    size: Annotated[Decimal, Doc("Quantity, in the instrument's unit.")]
    aggressor: Annotated[Side | None, Doc("Side that took liquidity, where the venue says so.")] = None
    conditions: Annotated[str | None, Doc("Sale conditions, as the venue writes them, separated by blanks.")] = None


@record("quote", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best bid and offer of a venue after one change."""

    venue: Annotated[str, Doc("Code of the venue.")]
    symbol: Annotated[str, Doc("Symbol as the venue writes it.")]
    update_id: Annotated[int, Doc("The venue's number of the change, growing per symbol.")]
    event_time: Annotated[datetime, Doc("When it changed, by the venue's clock.")]
    received_at: Annotated[datetime, Doc("When our edge received it, by the edge's clock.")]
    bid: Annotated[Decimal | None, Doc("Best bid; null where there is none.")]
    bid_size: Annotated[Decimal | None, Doc("Quantity bid at it.")]
    ask: Annotated[Decimal | None, Doc("Best offer; null where there is none.")]
    ask_size: Annotated[Decimal | None, Doc("Quantity offered at it.")]


@record("bar", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The trades of one instrument within one interval, as known at one instant. A mergeable summary."""

    instrument: Annotated[str, Doc("Instrument, as the instruments dataset names it.")]
    interval: Annotated[str, Doc("1s, 1m, 5m, 15m, 1h, 4h or 1d.")]
    event_time: Annotated[datetime, Doc("End of the interval, not included in it: what a bar is about.")]
    starts_at: Annotated[datetime, Doc("Start of the interval, included in it.")]
    knowledge_time: Annotated[datetime, Doc("When this revision was known: a whole tick of the stream's clock.")]
    partial: Annotated[bool, Doc("Whether it holds only late trades, to be merged with what is known already.")]
    open: Annotated[Decimal | None, Doc("Price of the first trade.")]
    high: Annotated[Decimal | None, Doc("Highest price.")]
    low: Annotated[Decimal | None, Doc("Lowest price.")]
    close: Annotated[Decimal | None, Doc("Price of the last trade.")]
    volume: Annotated[Decimal, Doc("Sum of sizes.", arrow=pa.decimal128(38, 8))]
    notional: Annotated[Decimal, Doc("Sum of price times size, exact.", arrow=pa.decimal128(38, 16))]
    trades: Annotated[int, Doc("Number of trades.")]
    buy_volume: Annotated[Decimal, Doc("Sum of sizes where buyers took.", arrow=pa.decimal128(38, 8))]
    sell_volume: Annotated[Decimal, Doc("Sum of sizes where sellers took.", arrow=pa.decimal128(38, 8))]
    first_at: Annotated[datetime | None, Doc("Event time of the first trade.")]
    first_id: Annotated[int | None, Doc("Its trade id: among equal times the smallest is first.")]
    last_at: Annotated[datetime | None, Doc("Event time of the last trade.")]
    last_id: Annotated[int | None, Doc("Its trade id: among equal times the largest is last.")]
