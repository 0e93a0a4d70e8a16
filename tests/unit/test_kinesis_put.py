"""What Kinesis answers becomes codes where trying again helps, and an error where it does not."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws

from tests.support.publishing import Clock, consumed, signal
from vintner.aws.streams import KinesisPut
from vintner.messaging.delivery_lanes import OUTCOME_UNKNOWN, UNREACHABLE, Entry
from vintner.messaging.errors import StreamRefusedError
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Signal
from vintner.messaging.streams import SIGNALS
from vintner.messaging.wire import unpack

ENTRIES = [Entry("a", b"1"), Entry("b", b"2")]


class Client:
    def __init__(self, *outcomes):
        self.outcomes, self.calls = list(outcomes), []

    def put_records(self, **call):
        self.calls.append(call)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def refusal(code, status=400):
    return ClientError({"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "P")


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [
        ({"Records": [{"SequenceNumber": "1"}, {"ErrorCode": "InternalFailure"}]}, [None, "InternalFailure"]),
        (refusal("ProvisionedThroughputExceededException"), ["ProvisionedThroughputExceededException"] * 2),
        (refusal("LimitExceededException"), ["LimitExceededException"] * 2),
        (refusal("InternalFailure", 500), ["InternalFailure"] * 2),
        (refusal("Strange", 502), [OUTCOME_UNKNOWN] * 2),
        (ReadTimeoutError(endpoint_url="u"), [OUTCOME_UNKNOWN] * 2),
        (ConnectionClosedError(endpoint_url="u"), [OUTCOME_UNKNOWN] * 2),
        (ConnectTimeoutError(endpoint_url="u"), [UNREACHABLE] * 2),
        (EndpointConnectionError(endpoint_url="u"), [UNREACHABLE] * 2),
    ],
)
def test_what_may_pass_is_a_code(outcome, codes):
    client = Client(outcome)
    assert KinesisPut(client)("s", ENTRIES) == codes
    assert client.calls == [
        {"StreamName": "s", "Records": [{"PartitionKey": e.partition_key, "Data": e.data} for e in ENTRIES]}
    ]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (refusal("ResourceNotFoundException"), "ResourceNotFoundException"),
        (refusal("AccessDeniedException"), "AccessDeniedException"),
        (NoCredentialsError(), "NoCredentials"),
    ],
)
def test_what_will_not_pass_is_an_error(outcome, code):
    with pytest.raises(StreamRefusedError) as caught:
        KinesisPut(Client(outcome))("s", ENTRIES)
    assert (caught.value.stream, caught.value.code) == ("s", code)


def test_a_lost_answer_is_followed_by_the_same_bytes():
    clock, client = Clock(), Client(ReadTimeoutError(endpoint_url="u"), {"Records": [{"SequenceNumber": "1"}]})
    sender = Publisher(
        KinesisPut(client), SIGNALS, producer="p/1", environment_name="test", clock=clock, wait=clock.wait
    )
    sender.publish([signal(0)])
    assert sender.flush().accepted == 1
    first, second = (call["Records"] for call in client.calls)
    assert first == second


def test_records_reach_a_stream(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        kinesis = boto3.client("kinesis", "eu-west-1")
        kinesis.create_stream(StreamName="vintner-test-signals", ShardCount=1)
        sender = Publisher(KinesisPut(kinesis), SIGNALS, producer="p/1", environment_name="test", clock=Clock())
        sender.publish([signal(n) for n in range(5)])
        assert sender.flush().accepted == 5
        shard = kinesis.describe_stream(StreamName="vintner-test-signals")["StreamDescription"]["Shards"][0]["ShardId"]
        place = kinesis.get_shard_iterator(
            StreamName="vintner-test-signals", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        found = kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"]
    assert consumed([unpack(one["Data"], Signal) for one in found]) == {"A": [0, 1, 2, 3, 4]}
