"""The engine of trades: from normalised trades to bars, rolling features and gaps."""

from vintner.marketdata.engine.config import FEATURES, HORIZONS, EngineConfig
from vintner.marketdata.engine.errors import EngineConfigError, EngineRowsError, EngineStateError
from vintner.marketdata.engine.merge import BAR_KEY, merge_bars
from vintner.marketdata.engine.output import (
    APPLIED,
    DUPLICATE,
    HEARTBEAT,
    IN_NO_BAR,
    EngineOutput,
    GapEvent,
    OutputLanes,
)
from vintner.marketdata.engine.rows import INPUT
from vintner.marketdata.engine.trades import Sessions, TradeEngine

__all__ = [
    "APPLIED", "BAR_KEY", "DUPLICATE", "FEATURES", "HEARTBEAT", "HORIZONS", "INPUT", "IN_NO_BAR", "EngineConfig",
    "EngineConfigError", "EngineOutput", "EngineRowsError", "EngineStateError", "GapEvent", "OutputLanes", "Sessions",
    "TradeEngine", "merge_bars",
]  # fmt: skip
