"""Envelopes, Kinesis events and the producer."""

import base64
import json
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.messaging import (
    MAX_BYTES,
    MAX_RECORDS,
    BatchTooLargeError,
    Entry,
    Envelope,
    EnvelopeError,
    Producer,
    StreamUnavailableError,
    decode,
    deliveries,
    encode,
)

SENT = datetime(2026, 1, 5, 10, tzinfo=UTC)
GOOD = {
    "schema": "vintner.facts/1",
    "dataset": "macro_series",
    "source": "ons",
    "producer": "p",
    "sent_at": SENT.isoformat(),
    "records": [{"entity": "x"}],
}


def wire(**changes):
    return json.dumps({**GOOD, **changes}).encode()


def test_an_envelope_survives_the_wire():
    envelope = Envelope(dataset="macro_series", source="ons", producer="p", sent_at=SENT, records=[{"entity": "é"}])
    assert decode(encode(envelope)) == envelope


@pytest.mark.parametrize(
    ("data", "field", "rule"),
    [
        (b"\xff\xfe", "delivery", "malformed bytes"),
        (b"{", "delivery", "malformed bytes"),
        (b"[" * 100_000, "delivery", "malformed bytes"),
        (b'{"records": [NaN]}', "delivery", "malformed bytes"),
        (b'{"records": [1e999]}', "delivery", "malformed bytes"),
        (b'{"records": ["half a pair: \\ud83d"]}', "delivery", "malformed bytes"),
        (b"[]", "delivery", "is not an object"),
        (b" " * (MAX_BYTES + 1), "delivery", "oversized batch"),
        (wire(schema="vintner.facts/2"), "schema", "unknown schema"),
        (wire(extra=1), "extra", "unknown field"),
        (wire(dataset=None), "dataset", "missing or not text"),
        (wire(source=""), "source", "missing or not text"),
        (wire(sent_at="2026-01-05T10:00:00"), "sent_at", "naive time"),
        (wire(sent_at="now"), "sent_at", "not an instant"),
        (wire(records={}), "records", "missing or not a list"),
        (wire(records=[0] * (MAX_RECORDS + 1)), "records", "oversized batch"),
    ],
)
def test_a_delivery_that_is_no_envelope_is_refused(data, field, rule):
    with pytest.raises(EnvelopeError) as caught:
        decode(data)
    assert (caught.value.field, caught.value.rule) == (field, rule)
    assert caught.value.remedy


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_never_raise_anything_else(data):
    with pytest.raises(EnvelopeError):
        decode(data)


def test_a_whole_pair_of_surrogates_is_a_character():
    assert decode(wire(source="\U0001f377")).source == "\U0001f377"


def test_a_kinesis_event_becomes_deliveries():
    event = {
        "Records": [
            {
                "eventID": "shardId-000000000000:00041",
                "eventSourceARN": "arn:aws:kinesis:eu-west-1:000000000000:stream/vintner-laptop-macro-data",
                "kinesis": {
                    "sequenceNumber": "00041",
                    "data": base64.b64encode(b"x").decode(),
                    "approximateArrivalTimestamp": SENT.timestamp(),
                },
            }
        ]
    }
    (delivery,) = deliveries(event)
    assert delivery.place == "vintner-laptop-macro-data/shardId-000000000000/41"
    assert (delivery.data, delivery.arrived_at) == (b"x", SENT)


class FlakyStream:
    """Accepts entries, refusing those whose turn in ``refusals`` is true."""

    def __init__(self, refusals):
        self.refusals = list(refusals)
        self.accepted = []

    def __call__(self, stream, entries):
        assert len({entry.partition_key for entry in entries}) == len(entries), "two of a partition in one call"
        codes = []
        for entry in entries:
            refused = bool(self.refusals) and self.refusals.pop(0)
            codes.append("ProvisionedThroughputExceededException" if refused else None)
            if not refused:
                self.accepted.append(entry)
        return codes


@given(
    entities=st.lists(st.sampled_from("ABCDEFG"), max_size=60),
    refusals=st.lists(st.booleans(), max_size=30).filter(lambda flags: sum(flags) < 8),
    batch=st.integers(1, 7),
)
def test_every_record_is_sent_once_and_in_the_order_of_its_entity(entities, refusals, batch):
    stream = FlakyStream(refusals)
    producer = Producer(stream, "s", name="test", partitions=3, batch=batch, wait=lambda _: None)
    records = [{"entity": entity, "n": n} for n, entity in enumerate(entities)]
    assert producer.send("d", "src", records, sent_at=SENT) == len(records)
    arrived = defaultdict(list)
    for entry in stream.accepted:
        envelope = decode(entry.data)
        assert len(envelope.records) <= batch
        for record in envelope.records:
            arrived[record["entity"]].append(record["n"])
    assert arrived == {e: [n for n, x in enumerate(entities) if x == e] for e in set(entities)}


def test_what_a_stream_keeps_refusing_is_on_the_error():
    producer = Producer(FlakyStream([True] * 99), "s", name="test", wait=lambda _: None)
    with pytest.raises(StreamUnavailableError) as caught:
        producer.send_raw([Entry("a", b"1"), Entry("a", b"2")])
    assert caught.value.entries == [Entry("a", b"1"), Entry("a", b"2")]


def test_large_batches_are_split_and_a_record_too_large_is_named():
    stream = FlakyStream([])
    producer = Producer(stream, "s", name="test", wait=lambda _: None)
    producer.send("d", "src", [{"entity": "A", "text": "x" * 300_000} for _ in range(7)], sent_at=SENT)
    assert sum(len(decode(entry.data).records) for entry in stream.accepted) == 7
    with pytest.raises(BatchTooLargeError, match="record A of d"):
        producer.send("d", "src", [{"entity": "A", "text": "x" * MAX_BYTES}], sent_at=SENT)
