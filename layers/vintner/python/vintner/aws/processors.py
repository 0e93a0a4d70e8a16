"""The processors as they run in an account."""

from __future__ import annotations

from vintner.aws.judging import open_contexts
from vintner.aws.processing import Processor
from vintner.aws.settings import Settings
from vintner.features.vectors import VectorsWork
from vintner.marketdata.processing import QuotesWork, TradesWork
from vintner.messaging.streams import FEATURES_PIT, FEATURES_RAW, L1, TRADES


def trades_processor() -> Processor:
    """Return the processor of trades: bars, rolling features, gaps."""

    def work(settings: Settings) -> TradesWork:
        return TradesWork(*open_contexts(settings))

    return Processor(TRADES, name="trades_processor", work=work, beat_to=[FEATURES_RAW])


def quotes_processor() -> Processor:
    """Return the processor of best quotes: features of each minute."""

    def work(settings: Settings) -> QuotesWork:
        return QuotesWork(*open_contexts(settings))

    return Processor(L1, name="quotes_processor", work=work, beat_to=[FEATURES_RAW])


def features_processor() -> Processor:
    """Return the processor of raw features: vectors of the declared views."""

    def work(_settings: Settings) -> VectorsWork:
        return VectorsWork()

    return Processor(FEATURES_RAW, name="features_processor", work=work, beat_to=[FEATURES_PIT])
