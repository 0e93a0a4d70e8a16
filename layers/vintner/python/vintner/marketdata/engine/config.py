"""How an engine of trades works: its ticks, how long bars may still change, how much it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from vintner.marketdata.calendars import INTERVALS
from vintner.marketdata.engine.errors import EngineConfigError

HORIZONS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "1s": timedelta(seconds=15),
        "1m": timedelta(minutes=15),
        "5m": timedelta(minutes=20),
        "15m": timedelta(minutes=45),
        "1h": timedelta(hours=2),
        "4h": timedelta(hours=8),
        "1d": timedelta(days=2),
    }
)
"""How long after its end a bar may still change in the engine's state; what comes later goes out as a partial."""

FEATURES: Final = (
    "return_1m", "log_return_1m", "volatility_20_1m", "ema_12_1m", "ema_26_1m", "rsi_14_1m", "atr_14_1m", "vwap_1m",
    "trade_imbalance_1m",
)  # fmt: skip
"""Features the engine derives from closed one-minute bars, in the order it tells them."""

MOST_REMEMBERED: Final = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """Settings of an engine. What it tells depends on them: keep them as long as the stream.

    Parameters
    ----------
    tick
        Bars and features are told at whole multiples of it on the lane's clock: their knowledge time.
    grace
        How long after its end a bar waits for its last trades before it is told for the first time.
    horizons
        By interval, how long after its end a bar may still change in the state; see :data:`HORIZONS`.
    ids
        How many trade ids are remembered per instrument where a venue does not number its trades densely.
    holes
        How many stretches of missing ids are remembered per instrument where it does.

    Raises
    ------
    EngineConfigError
        A setting is out of its range.

    Examples
    --------
    >>> EngineConfig(grace=timedelta(seconds=1)).tick
    datetime.timedelta(microseconds=250000)
    """

    tick: timedelta = timedelta(milliseconds=250)
    grace: timedelta = timedelta(milliseconds=250)
    horizons: Mapping[str, timedelta] = field(default_factory=lambda: HORIZONS)
    ids: int = 512
    holes: int = 512

    def __post_init__(self) -> None:
        if self.tick <= timedelta(0):
            raise EngineConfigError(field="tick", value=self.tick, rule="is no span", remedy="give more than nothing")
        if self.grace < timedelta(0):
            raise EngineConfigError(field="grace", value=self.grace, rule="is negative", remedy="give 0 or more")
        if set(self.horizons) != set(INTERVALS):
            remedy = f"name each of {', '.join(INTERVALS)}"
            raise EngineConfigError(
                field="horizons", value=list(self.horizons), rule="are not by interval", remedy=remedy
            )
        for interval, horizon in self.horizons.items():
            if horizon <= self.grace:
                rule, remedy = "ends before the bar is told", f"give more than the grace, {self.grace}"
                raise EngineConfigError(field=f"horizons[{interval!r}]", value=horizon, rule=rule, remedy=remedy)
        for name, value in (("ids", self.ids), ("holes", self.holes)):
            if not 1 <= value <= MOST_REMEMBERED:
                rule, remedy = "is out of range", f"give 1 to {MOST_REMEMBERED:,}"
                raise EngineConfigError(field=name, value=value, rule=rule, remedy=remedy)
