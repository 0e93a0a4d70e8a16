"""The compiled part of market data: the engine of trades (``trades.c`` tells what it does with a row)."""

from vintner.marketdata.kernel.native import library

__all__ = ["library"]
