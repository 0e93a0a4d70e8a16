"""Market and macro data: the datasets, and how deliveries become facts."""

from vintner.marketdata.datasets import (
    DATASETS,
    FACTOR_RETURNS,
    INDEX_MEMBERSHIP,
    INSTRUMENTS,
    MACRO_DATA,
    MACRO_SERIES,
    MARKET_DATA,
    PRICES_DAILY,
    datasets_of,
)
from vintner.marketdata.ingest import IngestReport, ingest

__all__ = [
    "DATASETS", "FACTOR_RETURNS", "INDEX_MEMBERSHIP", "INSTRUMENTS", "MACRO_DATA", "MACRO_SERIES", "MARKET_DATA",
    "PRICES_DAILY", "IngestReport", "datasets_of", "ingest",
]  # fmt: skip
