"""A stream as we make them."""

from __future__ import annotations

from aws_cdk import Duration, aws_kinesis
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.environments import StreamSize
from infra.nag import accept
from infra.shared import Shared


class RecordStream(aws_kinesis.Stream):
    """A Kinesis stream with stated shards and retention, encrypted with our key, with alarms on lag and throttling.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Key, removal policy and alarm topic.
    name
        Its name after ``vintner-{environment}-``.
    size
        Shards and retention.
    late_seconds
        The age of waiting records that alarms.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: Shared, name: str, size: StreamSize, late_seconds: int
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stream_name=shared.names.of(name),
            stream_mode=aws_kinesis.StreamMode.PROVISIONED,
            shard_count=size.shards,
            retention_period=Duration.hours(size.retention_hours),
            encryption=aws_kinesis.StreamEncryption.KMS,
            encryption_key=shared.key,
            removal_policy=shared.removal,
        )
        accept(self, "KDS3", "Our key, not Kinesis's: its policy, its rotation and the audit of its use are ours.")
        alarm_above(
            self,
            "LateAlarm",
            shared=shared,
            name=f"{name}-late",
            meaning=f"Records of {name} wait too long: a shard is blocked, or who drains it is too slow.",
            metric=self.metric_get_records_iterator_age_milliseconds(statistic="Maximum", period=Duration.minutes(1)),
            threshold=late_seconds * 1000,
            periods=3,
        )
        alarm_above(
            self,
            "ThrottledAlarm",
            shared=shared,
            name=f"{name}-throttled",
            meaning=f"Producers exceed what the shards of {name} take in: add shards or spread the partition keys.",
            metric=self.metric("WriteProvisionedThroughputExceeded", statistic="Sum", period=Duration.minutes(1)),
            threshold=0,
            periods=3,
        )
