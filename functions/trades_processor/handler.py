"""Turns trades into bars, rolling features and gaps, in the same breath."""

from vintner.aws.processing import processor_handler
from vintner.aws.processors import trades_processor

handler = processor_handler(trades_processor())
