"""Messages: the envelope records travel in, deliveries of a stream, and the producer."""

from vintner.messaging.delivery_lanes import DeliveryLanes, Entry, PutRecords
from vintner.messaging.envelope import MAX_BYTES, MAX_RECORDS, SCHEMA, Envelope, decode, encode
from vintner.messaging.errors import BatchTooLargeError, EnvelopeError, StreamUnavailableError
from vintner.messaging.kinesis import Delivery, checkpoints, deliveries
from vintner.messaging.producer import Producer
from vintner.messaging.publisher import Limits, Publisher, Receipt, WhenFull
from vintner.messaging.sequence import SequenceTracker
from vintner.messaging.spool import Spool

__all__ = [
    "MAX_BYTES", "MAX_RECORDS", "SCHEMA", "BatchTooLargeError", "Delivery",
    "DeliveryLanes", "Entry", "Envelope", "EnvelopeError", "Limits",
    "Producer", "Publisher", "PutRecords", "Receipt", "SequenceTracker", "Spool", "StreamUnavailableError", "WhenFull",
    "checkpoints", "decode", "deliveries", "encode",
]  # fmt: skip
