"""Bars and features worked out from scratch: from distinct trades, and from the history of the bars' revisions.

Prices and sizes are whole numbers of 1e-8, instants microseconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context
from functools import lru_cache
from itertools import pairwise
from typing import Any

from vintner.marketdata.calendars import INTERVALS, SessionTable, bar_bounds

Bar = dict[str, Any]
"""Columns of the record type ``Bar`` that follow from the trades."""

_EXACT = Context(prec=60)


@dataclass(frozen=True)
class Trade:
    id: int
    at: int
    price: int
    size: int
    side: int
    rules: int


def bar_of(instrument: str, interval: str, start: int, end: int, trades: Sequence[Trade]) -> Bar:
    """One bar from all its trades: 1 counts for open and close, 2 for high and low, 4 for volume."""
    priced = sorted((trade for trade in trades if trade.rules & 1), key=lambda trade: (trade.at, trade.id))
    ranged = [trade.price for trade in trades if trade.rules & 2]
    counted = [trade for trade in trades if trade.rules & 4]
    first, last = (priced[0], priced[-1]) if priced else (None, None)
    return {
        "instrument": instrument,
        "interval": interval,
        "event_time": end,
        "starts_at": start,
        "open": first.price if first else None,
        "high": max(ranged) if ranged else None,
        "low": min(ranged) if ranged else None,
        "close": last.price if last else None,
        "volume": sum(trade.size for trade in counted),
        "notional": sum(trade.price * trade.size for trade in counted),
        "trades": len(counted),
        "buy_volume": sum(trade.size for trade in counted if trade.side > 0),
        "sell_volume": sum(trade.size for trade in counted if trade.side < 0),
        "first_at": first.at if first else None,
        "first_id": first.id if first else None,
        "last_at": last.at if last else None,
        "last_id": last.id if last else None,
    }


def bars_from_trades(rows: Iterable[Mapping[str, Any]], sessions: SessionTable) -> dict[tuple[str, str, int], Bar]:
    """The bars of every distinct trade among the rows an engine is given, whenever it came."""
    distinct = {(row["instrument"], row["trade_id"]): row for row in rows if row["instrument"] is not None}
    held: dict[tuple[str, str, int, int], list[Trade]] = {}
    for row in distinct.values():
        trade = Trade(*(row[name] for name in ("trade_id", "event_time", "price", "size", "side", "bar_rules")))
        for interval in INTERVALS if trade.rules & 7 else ():
            bounds = bar_bounds(interval, trade.at, sessions, row["calendar"], is_close=row["is_close"])
            if bounds is not None:
                held.setdefault((row["instrument"], interval, *bounds), []).append(trade)
    return {
        (name, interval, end): bar_of(name, interval, start, end, trades)
        for (name, interval, start, end), trades in held.items()
    }


def final_bars(told: Iterable[Bar]) -> dict[tuple[str, str, int], Bar]:
    """The newest version of each bar told, partials merged with what was known before them."""
    newest: dict[tuple[str, str, int], Bar] = {}
    for bar in sorted(told, key=lambda bar: bar["knowledge_time"]):
        key = bar["instrument"], bar["interval"], bar["event_time"]
        newest[key] = merged(newest[key], bar) if bar["partial"] and key in newest else bar
    return newest


def merged(older: Bar, partial: Bar) -> Bar:
    """Two summaries of different trades of one bar as one; known when the partial is."""
    both = older, partial
    bar = {**partial, "partial": False}
    for name in ("volume", "notional", "trades", "buy_volume", "sell_volume"):
        bar[name] = older[name] + partial[name]
    for name, pick in (("high", max), ("low", min)):
        values = [one[name] for one in both if one[name] is not None]
        bar[name] = pick(values) if values else None
    priced = [one for one in both if one["first_at"] is not None]
    if priced:
        first = min(priced, key=lambda one: (one["first_at"], one["first_id"]))
        last = max(priced, key=lambda one: (one["last_at"], one["last_id"]))
        bar |= {name: first[name] for name in ("open", "first_at", "first_id")}
        bar |= {name: last[name] for name in ("close", "last_at", "last_id")}
    return bar


def features_of(bars: Sequence[Bar], *, after: int = 0) -> dict[int, dict[str, float | None]]:
    """The features of the one-minute bars of an instrument, by their ends, each from all bars up to it.

    The bars come oldest first; of the first ``after`` nothing is worked out.
    """
    answer = {}
    prices: list[tuple[float, float, float]] = []  # close, high, low of the bars that have them
    for place, bar in enumerate(bars):
        has_prices = bar["close"] is not None and bar["high"] is not None
        if has_prices:
            prices.append((bar["close"] / 1e8, bar["high"] / 1e8, bar["low"] / 1e8))
        if place < after:
            continue
        of_prices = price_features(prices) if has_prices else dict.fromkeys(_PRICE_FEATURES)
        answer[bar["event_time"]] = {**of_prices, **volume_features(bar)}
    return answer


_PRICE_FEATURES = (
    "return_1m", "log_return_1m", "volatility_20_1m", "ema_12_1m", "ema_26_1m", "rsi_14_1m", "atr_14_1m",
)  # fmt: skip


def volume_features(bar: Bar) -> dict[str, float | None]:
    taken = bar["buy_volume"] + bar["sell_volume"]
    return {
        "vwap_1m": float(bar["notional"]) / float(bar["volume"]) / 1e8 if bar["volume"] else None,
        "trade_imbalance_1m": float(bar["buy_volume"] - bar["sell_volume"]) / float(taken) if taken else None,
    }


def price_features(prices: Sequence[tuple[float, float, float]]) -> dict[str, float | None]:
    """Of the last bar, as each definition reads."""
    closes = [close for close, _, _ in prices]
    pairs = list(pairwise(closes))
    changes = [close - before for before, close in pairs]
    ranges = [
        max(high - low, abs(high - before), abs(low - before))
        for before, (_, high, low) in zip(closes, prices[1:], strict=False)
    ]
    gain = wilder([change if change > 0 else 0.0 for change in changes])
    loss = wilder([-change if change < 0 else 0.0 for change in changes])
    strength = 100.0 * gain / (gain + loss) if gain is not None and loss is not None and gain + loss > 0 else None
    ratio = pairs[-1][1] / pairs[-1][0] if pairs and pairs[-1][0] else None
    return {
        "return_1m": None if ratio is None else ratio - 1.0,
        "log_return_1m": logarithm(ratio),
        "volatility_20_1m": volatility(pairs[-20:]),
        "ema_12_1m": exponential(closes, 2.0 / 13.0),
        "ema_26_1m": exponential(closes, 2.0 / 27.0),
        "rsi_14_1m": strength,
        "atr_14_1m": wilder(ranges),
    }


@lru_cache(maxsize=100_000)
def logarithm(ratio: float | None) -> float | None:
    """Correctly rounded: sixty digits, then the nearest float."""
    return None if ratio is None or ratio <= 0 else float(_EXACT.ln(_EXACT.create_decimal_from_float(ratio)))


def volatility(pairs: Sequence[tuple[float, float]]) -> float | None:
    logs = [logarithm(close / before) if before else None for before, close in pairs]
    if len(logs) < 20 or any(log is None for log in logs):
        return None
    total = squares = 0.0
    for log in logs:
        total += log  # type: ignore[operator] # none of them is None
    mean = total / 20
    for log in logs:
        squares += (log - mean) * (log - mean)  # type: ignore[operator]
    return math.sqrt(squares / 19)


def exponential(closes: Sequence[float], alpha: float) -> float:
    average = closes[0]
    for close in closes[1:]:
        average += alpha * (close - average)
    return average


def wilder(values: Sequence[float]) -> float | None:
    """Wilder's average: the plain mean of the first fourteen, then thirteen parts of it and one of the new value."""
    if len(values) < 14:
        return None
    total = 0.0
    for value in values[:14]:
        total += value
    average = total / 14
    for value in values[14:]:
        average = (average * 13 + value) / 14
    return average


def features_from_history(told: Iterable[Bar]) -> dict[tuple[str, str, int], float | None]:
    """The newest value of each feature, from the revisions of one-minute bars as they became known."""
    revisions = [bar for bar in told if bar["interval"] == "1m" and not bar["partial"]]
    newest: dict[tuple[str, str, int], float | None] = {}
    for instrument in sorted({bar["instrument"] for bar in revisions}):
        by_end: Mapping[int, Bar] = {bar["event_time"]: bar for bar in revisions if bar["instrument"] == instrument}
        for end, values in features_of([by_end[end] for end in sorted(by_end)]).items():
            newest |= {(instrument, name, end): value for name, value in values.items()}
    return newest
