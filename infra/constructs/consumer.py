"""A function that drains a declared stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration, aws_cloudwatch, aws_iam
from constructs import Construct

from infra.constructs.alarms import alarm_above, own_metric
from infra.constructs.function import HandlerFunction
from infra.constructs.layers import Layers
from infra.constructs.mapping import StreamMapping
from infra.constructs.permissions import drain
from infra.environments import DrainSize
from infra.shared import Shared
from vintner.messaging.streams import Consumer, Stream

_MINUTE: Final = Duration.minutes(1)


class StreamConsumer(Construct):
    """A consumer of a declared stream: its function, the mapping that feeds it, and alarms on how far behind it is.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Environment, names, key and alarm topic.
    layers
        The stack's layers.
    stream, consumer
        What is drained, and by whom, as declared; the consumer's role says its size.
    description
        One sentence.
    permissions
        What the function may do besides draining its stream.
    """

    function: HandlerFunction

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        layers: Layers,
        stream: Stream,
        consumer: Consumer,
        description: str,
        permissions: Sequence[aws_iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, construct_id)
        size = shared.environment.consumers[consumer.role]
        name = consumer.function.replace("_", "-")
        source = shared.names.stream_arn(stream.resource_name)
        self.function = HandlerFunction(
            self,
            "Function",
            shared=shared,
            layers=layers,
            folder=consumer.function,
            description=description,
            size=size.function,
            permissions=[*permissions, *drain(source)],
        )
        StreamMapping(self, "Mapping", shared=shared, name=name, stream_arn=source, function=self.function, size=size)
        self._watch(shared, name, size)

    def _watch(self, shared: Shared, name: str, size: DrainSize) -> None:
        age = self.function.metric("IteratorAge", statistic="Maximum", period=_MINUTE)
        lag = own_metric(shared, service=name, name="LagMilliseconds", statistic="Maximum")
        found: tuple[tuple[str, str, aws_cloudwatch.IMetric], ...] = (
            ("late", "Records wait too long before {name} takes them: it fails, is throttled, or is too slow.", age),
            ("lagging", "What {name} has done is too far behind what is sent: look at its duration and errors.", lag),
        )
        for state, meaning, metric in found:
            alarm_above(
                self,
                f"{state.title()}Alarm",
                shared=shared,
                name=f"{name}-{state}",
                meaning=meaning.format(name=name),
                metric=metric,
                threshold=size.late_seconds * 1000,
                periods=3,
            )
