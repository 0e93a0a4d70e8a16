"""The mapping between a stream and the function that drains it."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, aws_cloudwatch, aws_lambda
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.constructs.function import HandlerFunction
from infra.environments import DrainSize
from infra.shared import Shared

_OLDEST_RECORD: Final = "TRIM_HORIZON"
_MINUTE: Final = Duration.minutes(1)


class StreamMapping(aws_lambda.CfnEventSourceMapping):
    """A mapping that blocks no shard, with alarms on what it gave up.

    One batch of a shard is in flight at a time, so a shard's records are taken in order. A batch that fails is
    retried, split in two, and retried, for a limited time and number; what still fails is written to the dead letters
    bucket with its payload, and an alarm speaks. No record blocks its shard until it expires.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree; the alarms are beside it.
    shared
        Names and alarm topic.
    name
        What the alarms are named after.
    stream_arn, function
        The two ends.
    size
        Batches and retries.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        name: str,
        stream_arn: str,
        function: HandlerFunction,
        size: DrainSize,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            function_name=function.function_name,
            event_source_arn=stream_arn,
            starting_position=_OLDEST_RECORD,
            batch_size=size.batch_size,
            maximum_batching_window_in_seconds=size.batching_window_seconds,
            parallelization_factor=1,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=size.retry_attempts,
            maximum_record_age_in_seconds=size.record_age_seconds,
            destination_config=aws_lambda.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=aws_lambda.CfnEventSourceMapping.OnFailureProperty(
                    destination=f"arn:aws:s3:::{shared.names.dead_letters_bucket}"
                )
            ),
            metrics_config=aws_lambda.CfnEventSourceMapping.MetricsConfigProperty(metrics=["EventCount"]),
        )
        # The role's grants are what the mapping is checked with when it is made.
        self.node.add_dependency(function)
        self._watch(scope, shared, name)

    def _watch(self, scope: Construct, shared: Shared, name: str) -> None:
        for metric, meaning in (
            ("OnFailureDestinationDeliveredEventCount", "could not be processed and are in the dead letters bucket"),
            ("DroppedEventCount", "were given up"),
        ):
            alarm_above(
                scope,
                f"{metric}Alarm",
                shared=shared,
                name=f"{name}-{'dead-letters' if metric.startswith('On') else 'dropped'}",
                meaning=f"Records of {name} {meaning}: find the cause in the log, repair, replay.",
                metric=aws_cloudwatch.Metric(
                    namespace="AWS/Lambda",
                    metric_name=metric,
                    dimensions_map={"EventSourceMappingUUID": self.attr_id},
                    statistic="Sum",
                    period=_MINUTE,
                ),
                threshold=0,
            )
