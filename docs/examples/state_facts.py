"""State a figure that is published, restated, withdrawn and stated again."""

from datetime import UTC, datetime

from vintner.aws.streams import KinesisPut
from vintner.messaging import Producer

ROWS = [
    # event, known, revision, operation, value
    ("2024-03-31T00:00:00Z", "2024-05-02T20:05:00Z", 0, "upsert", 2.00),
    ("2024-06-30T00:00:00Z", "2024-08-01T20:05:00Z", 0, "upsert", 2.30),
    ("2024-03-31T00:00:00Z", "2024-08-20T12:00:00Z", 1, "upsert", 1.80),
    ("2024-06-30T00:00:00Z", "2024-09-10T09:00:00Z", 1, "delete", None),
    ("2024-06-30T00:00:00Z", "2024-09-12T09:00:00Z", 2, "upsert", 2.25),
]

records = [
    {
        "entity": "acme.eps",
        "event_time": event,
        "knowledge_time": known,
        "revision_seq": revision,
        "op": operation,
        "values": {} if value is None else {"value": value},
    }
    for event, known, revision, operation, value in ROWS
]

producer = Producer(KinesisPut(), "vintner-laptop-macro-data", name="first-steps")
sent = producer.send("macro_series", "first-steps", records, sent_at=datetime.now(UTC))
print(f"sent {sent} records")
