"""Records of trading: signals, orders, fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from vintner.messaging.records.market_data import Side
from vintner.messaging.records.schema import Doc, record


@record("signal", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a model says about an instrument at a moment."""

    signal_id: Annotated[str, Doc("Unique id, derived from model, instrument and moment.")]
    model: Annotated[str, Doc("Name and version of the model.")]
    instrument: Annotated[str, Doc("Instrument.")]
    event_time: Annotated[datetime, Doc("The moment it speaks about.")]
    knowledge_time: Annotated[datetime, Doc("When it was computed.")]
    score: Annotated[float, Doc("The model's score.")]
    horizon_seconds: Annotated[int, Doc("How far ahead it looks, seconds.")]


@record("order", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One state of an order. Facts never change: a new state is a new sequence number of the same order."""

    order_id: Annotated[str, Doc("Unique id, given by whoever orders.")]
    order_seq: Annotated[int, Doc("Number of this state of the order, from 0.")]
    signal_id: Annotated[str | None, Doc("The signal it follows from.")]
    account: Annotated[str, Doc("Account it is for.")]
    instrument: Annotated[str, Doc("Instrument.")]
    side: Annotated[Side, Doc("Buy or sell.")]
    quantity: Annotated[Decimal, Doc("Quantity ordered, in the instrument's unit.")]
    limit_price: Annotated[Decimal | None, Doc("Limit; null is a market order.")]
    status: Annotated[str, Doc("new, accepted, cancelled, rejected, filled, ….")]
    event_time: Annotated[datetime, Doc("When it took this state.")]
    knowledge_time: Annotated[datetime, Doc("When we learned of it.")]


@record("fill", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of an order."""

    fill_id: Annotated[str, Doc("Unique id, given by the venue or broker.")]
    order_id: Annotated[str, Doc("The order executed.")]
    account: Annotated[str, Doc("Account it is for.")]
    instrument: Annotated[str, Doc("Instrument.")]
    venue: Annotated[str, Doc("Where it was executed.")]
    side: Annotated[Side, Doc("Buy or sell.")]
    quantity: Annotated[Decimal, Doc("Quantity executed.")]
    price: Annotated[Decimal, Doc("Price.")]
    fee: Annotated[Decimal, Doc("Fee, in the fee's currency; negative is a rebate.")]
    fee_currency: Annotated[str, Doc("Currency of the fee.")]
    event_time: Annotated[datetime, Doc("When it was executed.")]
    knowledge_time: Annotated[datetime, Doc("When we learned of it.")]
