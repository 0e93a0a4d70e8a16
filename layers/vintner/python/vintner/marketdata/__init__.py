"""Market and macro data: the datasets, and how deliveries become facts."""

from vintner.marketdata.datasets import (
    BARS,
    DATASETS,
    FACTOR_RETURNS,
    INDEX_MEMBERSHIP,
    INSTRUMENTS,
    MACRO_DATA,
    MACRO_SERIES,
    MARKET_DATA,
    PRICES_DAILY,
    QUOTES,
    REFERENCE,
    TRADES,
    datasets_of,
)
from vintner.marketdata.ingest import IngestReport, ingest

__all__ = [
    "BARS", "DATASETS", "FACTOR_RETURNS", "INDEX_MEMBERSHIP", "INSTRUMENTS", "MACRO_DATA", "MACRO_SERIES",
    "MARKET_DATA", "PRICES_DAILY", "QUOTES", "REFERENCE", "TRADES", "IngestReport", "datasets_of", "ingest",
]  # fmt: skip
