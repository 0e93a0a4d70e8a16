"""Turns raw features into vectors of the declared views, in the same breath."""

from vintner.aws.processing import processor_handler
from vintner.aws.processors import features_processor

handler = processor_handler(features_processor())
