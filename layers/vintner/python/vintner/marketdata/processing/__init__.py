"""What the processors of market data do with the records of their streams."""

from vintner.marketdata.processing.contexts import Contexts, FixedContexts, Pinned
from vintner.marketdata.processing.quotes import QuotesWork
from vintner.marketdata.processing.trades import TradesWork

__all__ = ["Contexts", "FixedContexts", "Pinned", "QuotesWork", "TradesWork"]
