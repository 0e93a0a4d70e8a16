"""Best quotes: rolling state, and the features of each minute."""

from vintner.marketdata.quotes.engine import QuoteEngine
from vintner.marketdata.quotes.errors import QuoteRowsError, QuoteRulesError, QuoteStateError
from vintner.marketdata.quotes.model import FEATURES, INPUT, QuoteOutput, QuoteRules, Verdict

__all__ = [
    "FEATURES", "INPUT", "QuoteEngine", "QuoteOutput", "QuoteRowsError", "QuoteRules", "QuoteRulesError",
    "QuoteStateError", "Verdict",
]  # fmt: skip
