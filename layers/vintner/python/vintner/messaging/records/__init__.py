"""The record types of the streams, each declared once as a dataclass."""

from vintner.messaging.records.features import FeatureValue, FeatureVector
from vintner.messaging.records.market_data import Bar, Quote, Side, Trade
from vintner.messaging.records.schema import (
    DECIMAL,
    PLACES,
    Doc,
    RecordField,
    as_batch,
    as_records,
    fields_of,
    fingerprint,
    name_of,
    nothing_of,
    record,
    schema_at,
    schema_of,
    version_of,
)
from vintner.messaging.records.trading import Fill, Order, Signal

__all__ = [
    "DECIMAL", "PLACES", "Bar", "Doc", "FeatureValue", "FeatureVector", "Fill", "Order", "Quote", "RecordField",
    "Side", "Signal", "Trade", "as_batch", "as_records", "fields_of", "fingerprint", "name_of", "nothing_of", "record",
    "schema_at", "schema_of", "version_of",
]  # fmt: skip
