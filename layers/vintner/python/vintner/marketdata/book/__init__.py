"""Order books, rebuilt from snapshots and differences, and whether published best quotes agree with them."""

from vintner.marketdata.book.agreement import Agreement, Disagreement, consistent
from vintner.marketdata.book.binance import binance_difference, binance_snapshot
from vintner.marketdata.book.book import OrderBook, rebuild
from vintner.marketdata.book.errors import BookMessageError, BookSequenceError
from vintner.marketdata.book.model import Best, BookSnapshot, DepthDifference, Level

__all__ = [
    "Agreement", "Best", "BookMessageError", "BookSequenceError", "BookSnapshot", "DepthDifference", "Disagreement",
    "Level", "OrderBook", "binance_difference", "binance_snapshot", "consistent", "rebuild",
]  # fmt: skip
