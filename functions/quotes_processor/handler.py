"""Turns best quotes into features of each minute, in the same breath."""

from vintner.aws.processing import processor_handler
from vintner.aws.processors import quotes_processor

handler = processor_handler(quotes_processor())
