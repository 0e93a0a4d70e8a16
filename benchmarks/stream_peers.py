"""The same bars and features worked out anew by pandas and by Polars, plainly, as their users would.

Both are given decoded trades as a frame of whole numbers, prices and sizes in units of 1e-8:

1.  Trades told twice are dropped; the others sorted by instrument, time and id.
2.  Bars of a second are one group-by; those of each longer interval are another, of the bars before.
3.  Features are columns over the bars of a minute, instrument by instrument.

Price times size is taken in floating point, which is faster than the exact sum the engine keeps.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl

from vintner.marketdata.calendars import INTERVALS

FIRST: Final = ("open", "first_at", "first_id")
LAST: Final = ("close", "last_at", "last_id")
SUMS: Final = ("volume", "notional", "trades", "buy_volume", "sell_volume")
FEATURES: Final = (
    "return_1m", "log_return_1m", "volatility_20_1m", "ema_12_1m", "ema_26_1m", "rsi_14_1m", "atr_14_1m", "vwap_1m",
    "trade_imbalance_1m",
)  # fmt: skip
_WILDER: Final = 14
_KEY: Final = ["instrument", "start"]


def polars_bars(trades: pl.DataFrame, intervals: int = len(INTERVALS)) -> dict[str, pl.DataFrame]:
    """Return bars by interval, those of the first so many."""
    ordered = trades.unique(["instrument", "trade_id"], keep="any").sort("instrument", "at", "trade_id")
    price, size, side = pl.col("price"), pl.col("size"), pl.col("side")
    told = ordered.select(
        "instrument",
        start="at",
        **dict.fromkeys(("open", "high", "low", "close"), price),
        volume=size,
        notional=price.cast(pl.Float64) * size.cast(pl.Float64),
        trades=pl.lit(1, pl.Int64),
        buy_volume=size * (side > 0),
        sell_volume=size * (side < 0),
        **dict.fromkeys(("first_at", "last_at"), pl.col("at")),
        **dict.fromkeys(("first_id", "last_id"), pl.col("trade_id")),
    )
    found = {}
    for name, length in list(INTERVALS.items())[:intervals]:
        start = pl.col("start") - pl.col("start") % length
        told = (
            told.with_columns(start=start)
            .group_by(_KEY, maintain_order=True)
            .agg(
                pl.col(*FIRST).first(), pl.col(*LAST).last(), pl.col("high").max(), pl.col("low").min(),
                pl.col(*SUMS).sum(),
            )
        )  # fmt: skip
        found[name] = told
    return found


def polars_features(minutes: pl.DataFrame) -> pl.DataFrame:
    """Return the features of bars of a minute, one column each."""
    prices = minutes.select(
        "instrument",
        "start",
        pl.col("high", "low", "close") / 1e8,
        vwap_1m=pl.col("notional") / pl.col("volume") / 1e8,
        trade_imbalance_1m=(pl.col("buy_volume") - pl.col("sell_volume"))
        / (pl.col("buy_volume") + pl.col("sell_volume")),
        rank=pl.int_range(pl.len()).over("instrument"),
        before=(pl.col("close") / 1e8).shift(1).over("instrument"),
    )
    close, before = pl.col("close"), pl.col("before")
    change = close - before
    reach = pl.max_horizontal(
        pl.col("high") - pl.col("low"), (pl.col("high") - before).abs(), (pl.col("low") - before).abs()
    )
    told = prices.with_columns(
        return_1m=close / before - 1,
        log_return_1m=(close / before).log(),
        gain=change.clip(lower_bound=0),
        loss=(-change).clip(lower_bound=0),
        reach=pl.when(before.is_not_null()).then(reach),
    ).with_columns(
        volatility_20_1m=pl.col("log_return_1m").rolling_std(20).over("instrument"),
        ema_12_1m=close.ewm_mean(alpha=2 / 13, adjust=False).over("instrument"),
        ema_26_1m=close.ewm_mean(alpha=2 / 27, adjust=False).over("instrument"),
        **{name: _polars_wilder(name) for name in ("gain", "loss", "reach")},
    )
    strength = 100 * pl.col("gain") / (pl.col("gain") + pl.col("loss"))
    return told.with_columns(rsi_14_1m=strength, atr_14_1m="reach").select("instrument", "start", *FEATURES)


def pandas_bars(trades: pd.DataFrame, intervals: int = len(INTERVALS)) -> dict[str, pd.DataFrame]:
    """Return bars by interval, those of the first so many."""
    ordered = trades.drop_duplicates(["instrument", "trade_id"]).sort_values(["instrument", "at", "trade_id"])
    price, size = ordered["price"], ordered["size"]
    told = pd.DataFrame(
        {
            "instrument": ordered["instrument"],
            "start": ordered["at"],
            **dict.fromkeys(("open", "high", "low", "close"), price),
            "volume": size,
            "notional": price.astype("float64") * size.astype("float64"),
            "trades": 1,
            "buy_volume": size * (ordered["side"] > 0),
            "sell_volume": size * (ordered["side"] < 0),
            **dict.fromkeys(("first_at", "last_at"), ordered["at"]),
            **dict.fromkeys(("first_id", "last_id"), ordered["trade_id"]),
        }
    )
    how: Any = {"high": "max", "low": "min", **dict.fromkeys(SUMS, "sum")}
    how |= dict.fromkeys(FIRST, "first") | dict.fromkeys(LAST, "last")
    found = {}
    for name, length in list(INTERVALS.items())[:intervals]:
        told["start"] = told["start"] - told["start"] % length
        told = told.groupby(_KEY, sort=False, observed=True, as_index=False).agg(how)
        found[name] = told.copy(deep=False)
    return found


def pandas_features(minutes: pd.DataFrame) -> pd.DataFrame:
    """Return the features of bars of a minute, one column each."""
    told = minutes[["instrument", "start"]].copy()
    high, low, close = (minutes[name] / 1e8 for name in ("high", "low", "close"))
    by = minutes["instrument"]
    before = close.groupby(by, observed=True).shift(1)
    change = close - before
    logs = np.log(close / before)
    rank = told.groupby("instrument", observed=True).cumcount()
    reach = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)
    gain, loss = (_pandas_wilder(side.clip(lower=0), by, rank) for side in (change, -change))
    taken = minutes["buy_volume"] + minutes["sell_volume"]
    told["return_1m"] = close / before - 1
    told["log_return_1m"] = logs
    told["volatility_20_1m"] = _in_place(logs.groupby(by, observed=True).rolling(20).std())
    told["ema_12_1m"] = _in_place(close.groupby(by, observed=True).ewm(alpha=2 / 13, adjust=False).mean())
    told["ema_26_1m"] = _in_place(close.groupby(by, observed=True).ewm(alpha=2 / 27, adjust=False).mean())
    told["rsi_14_1m"] = 100 * gain / (gain + loss)
    told["atr_14_1m"] = _pandas_wilder(reach.where(before.notna()), by, rank)
    told["vwap_1m"] = minutes["notional"] / minutes["volume"] / 1e8
    told["trade_imbalance_1m"] = (minutes["buy_volume"] - minutes["sell_volume"]) / taken
    return told


def _polars_wilder(name: str) -> pl.Expr:
    """Wilder's average: the plain mean of the first fourteen, then an exponential one."""
    mean = pl.col(name).rolling_mean(_WILDER).over("instrument")
    rank = pl.col("rank")
    seeded = pl.when(rank == _WILDER).then(mean).when(rank > _WILDER).then(pl.col(name))
    return seeded.ewm_mean(alpha=1 / _WILDER, adjust=False).over("instrument")


def _pandas_wilder(values: pd.Series, by: pd.Series, rank: pd.Series) -> pd.Series:
    mean = _in_place(values.groupby(by, observed=True).rolling(_WILDER).mean())
    seeded = mean.where(rank == _WILDER, values.where(rank > _WILDER))
    return _in_place(seeded.groupby(by, observed=True).ewm(alpha=1 / _WILDER, adjust=False).mean())


def _in_place(grouped: Any) -> Any:
    """Return what a window over groups gave under the rows' own labels again."""
    return grouped.droplevel(0)
