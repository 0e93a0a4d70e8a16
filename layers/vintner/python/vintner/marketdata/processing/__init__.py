"""What the processors of market data do with the records of their streams."""

from vintner.marketdata.processing.quotes import QuotesWork
from vintner.marketdata.processing.trades import TradesWork

__all__ = ["QuotesWork", "TradesWork"]
