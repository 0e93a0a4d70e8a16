"""A stream and the function that drains it."""

from __future__ import annotations

from aws_cdk import Duration, aws_cloudwatch, aws_lambda
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.constructs.function import HandlerFunction
from infra.constructs.layers import Layers
from infra.constructs.permissions import append_to_lake, drain, write_online
from infra.constructs.stream import RecordStream
from infra.environments import StreamSize
from infra.shared import Shared

_OLDEST_RECORD = "TRIM_HORIZON"


class StreamProcessor(Construct):
    """A stream, its processor, and the mapping between them.

    One batch of a shard is in flight at a time, so a shard's records are committed in order. A batch that fails is
    retried, split in two, and retried, for a limited time and number; what still fails is written to the dead letters
    bucket with its payload, and an alarm speaks. No record blocks its shard until it expires.

    Attributes
    ----------
    stream, function
        The two ends.
    """

    stream: RecordStream
    function: HandlerFunction

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: Shared, layers: Layers, subject: str, size: StreamSize
    ) -> None:
        super().__init__(scope, construct_id)
        name = subject.replace("_", "-")
        self.stream = RecordStream(self, "Stream", shared=shared, name=name, size=size)
        self.function = HandlerFunction(
            self,
            "Processor",
            shared=shared,
            layers=layers,
            folder=f"{subject}_processor",
            description=f"Lands the stream {name} in the lake and in the online table.",
            size=size.processor,
            permissions=[
                *append_to_lake(shared.names),
                *write_online(shared.names),
                *drain(self.stream.stream_arn),
            ],
        )
        mapping = self._map(shared, size)
        self._alarm(mapping, shared, name)

    def _map(self, shared: Shared, size: StreamSize) -> aws_lambda.CfnEventSourceMapping:
        mapping = aws_lambda.CfnEventSourceMapping(
            self,
            "Mapping",
            function_name=self.function.function_name,
            event_source_arn=self.stream.stream_arn,
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
        mapping.node.add_dependency(self.function)
        return mapping

    def _alarm(self, mapping: aws_lambda.CfnEventSourceMapping, shared: Shared, name: str) -> None:
        for metric, meaning in (
            ("OnFailureDestinationDeliveredEventCount", "could not be processed and are in the dead letters bucket"),
            ("DroppedEventCount", "were given up"),
        ):
            alarm_above(
                self,
                f"{metric}Alarm",
                shared=shared,
                name=f"{name}-{'dead-letters' if metric.startswith('On') else 'dropped'}",
                meaning=f"Records of {name} {meaning}: find the cause in the log, repair, replay.",
                metric=aws_cloudwatch.Metric(
                    namespace="AWS/Lambda",
                    metric_name=metric,
                    dimensions_map={"EventSourceMappingUUID": mapping.attr_id},
                    statistic="Sum",
                    period=Duration.minutes(1),
                ),
                threshold=0,
            )
