"""From records as producers send them to records the platform computes with: judged, mapped, told apart."""

from vintner.marketdata.normalise.errors import NormaliseInputError, SkewStateError
from vintner.marketdata.normalise.model import Context, Normalised
from vintner.marketdata.normalise.quotes import QUOTE_INPUT, normalise_quotes
from vintner.marketdata.normalise.rules import QUOTE_RULES, TRADE_RULES, Rule
from vintner.marketdata.normalise.skew import Skew, SkewMeter
from vintner.marketdata.normalise.trades import TRADE_INPUT, normalise_trades

__all__ = [
    "QUOTE_INPUT", "QUOTE_RULES", "TRADE_INPUT", "TRADE_RULES", "Context", "NormaliseInputError", "Normalised", "Rule",
    "Skew", "SkewMeter", "SkewStateError", "normalise_quotes", "normalise_trades",
]  # fmt: skip
