"""Messages: the envelope records travel in, deliveries of a stream, and the producer."""

from vintner.messaging.delivery_lanes import DeliveryLanes, Entry, PutRecords
from vintner.messaging.envelope import MAX_BYTES, MAX_RECORDS, SCHEMA, Envelope, decode, encode
from vintner.messaging.errors import BatchTooLargeError, EnvelopeError, StreamUnavailableError
from vintner.messaging.kinesis import Delivery, checkpoints, deliveries
from vintner.messaging.producer import Producer

__all__ = [
    "MAX_BYTES", "MAX_RECORDS", "SCHEMA", "BatchTooLargeError", "Delivery",
    "DeliveryLanes", "Entry", "Envelope", "EnvelopeError",
    "Producer", "PutRecords", "StreamUnavailableError", "checkpoints", "decode", "deliveries", "encode",
]  # fmt: skip
