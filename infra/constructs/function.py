"""A function as we make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aws_cdk import Duration, aws_iam, aws_lambda, aws_logs
from constructs import Construct

from infra import paths
from infra.constructs.alarms import alarm_above
from infra.constructs.layers import GENERATED, RUNTIME, Layers, lambda_architecture
from infra.constructs.logs import KeptLogs
from infra.constructs.permissions import use_key, wildcards, write_dead_letters
from infra.environments import FunctionSize
from infra.nag import accept, names_in_findings
from infra.shared import Shared

_EVENT_AGE_SECONDS = 6 * 3600
_ASYNC_RETRIES = 2
_FULL_SHARE: Final = 0.9
# The line that Lambda ends a call's log with; its words are separated by blanks.
_REPORT: Final = (
    '[report="REPORT", id1, id2, took1, took2, took3, billed1, billed2, billed3, billed4,'
    " size1, size2, size3, size4, used1, used2, used3, used, unit, ...]"
)
_NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})


class HandlerFunction(aws_lambda.Function):
    """A function from a folder of ``functions/``, with a role of its own that holds nothing it was not given.

    Traced, logged into its own group, with stated memory and timeout, alarms on errors, throttles and memory, and
    dead letters: an asynchronous call that fails for good is written to the dead letters bucket with its payload.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Environment, key and alarm topic.
    layers
        The stack's layers.
    folder
        Folder under ``functions/``; with hyphens it is the function's name.
    description
        One sentence.
    size
        Memory and timeout.
    permissions
        What it may do besides logging, tracing, using the key and leaving dead letters.
    variables
        What it is told besides where things are.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        layers: Layers,
        folder: str,
        description: str,
        size: FunctionSize,
        permissions: Sequence[aws_iam.PolicyStatement],
        variables: Mapping[str, str] = _NO_VARIABLES,
    ) -> None:
        name = folder.replace("_", "-")
        logs = KeptLogs(scope, f"{construct_id}Logs", shared=shared, name=shared.names.log_group(name))
        role = _role(scope, f"{construct_id}Role", shared, name, permissions)
        logs.grant_write(role)
        super().__init__(
            scope,
            construct_id,
            function_name=shared.names.of(name),
            description=description,
            runtime=RUNTIME,
            architecture=lambda_architecture(shared.environment.architecture),
            handler="handler.handler",
            code=aws_lambda.Code.from_asset(str(paths.FUNCTIONS / folder), exclude=list(GENERATED)),
            layers=list(layers.versions),
            memory_size=size.memory_mb,
            timeout=Duration.seconds(size.timeout_seconds),
            tracing=aws_lambda.Tracing.ACTIVE,
            log_group=logs,
            role=role,
            environment={**_variables(shared, name), **variables},
        )
        self._accept(shared, role)
        self._keep_dead_letters(shared)
        self._watch(shared, name)
        self._watch_memory(shared, name, logs, size)

    def _accept(self, shared: Shared, role: aws_iam.Role) -> None:
        accept(self, "L1", "The dependency layer's wheels are locked and tested for Python 3.13; both move together.")
        for resource, reason in wildcards(names_in_findings(shared.environment)).items():
            accept(role, f"IAM5[Resource::{resource}]", reason)

    def _keep_dead_letters(self, shared: Shared) -> None:
        aws_lambda.CfnEventInvokeConfig(
            self,
            "DeadLetters",
            function_name=self.function_name,
            qualifier="$LATEST",
            maximum_event_age_in_seconds=_EVENT_AGE_SECONDS,
            maximum_retry_attempts=_ASYNC_RETRIES,
            destination_config=aws_lambda.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=aws_lambda.CfnEventInvokeConfig.OnFailureProperty(
                    destination=f"arn:aws:s3:::{shared.names.dead_letters_bucket}"
                )
            ),
        )

    def _watch(self, shared: Shared, name: str) -> None:
        minute = Duration.minutes(1)
        alarm_above(
            self,
            "ErrorsAlarm",
            shared=shared,
            name=f"{name}-errors",
            meaning=f"{name} raised: its log group has the error.",
            metric=self.metric_errors(statistic="Sum", period=minute),
            threshold=0,
        )
        alarm_above(
            self,
            "ThrottlesAlarm",
            shared=shared,
            name=f"{name}-throttles",
            meaning=f"Calls of {name} were refused for want of concurrency: look at the account's limit.",
            metric=self.metric_throttles(statistic="Sum", period=minute),
            threshold=0,
            periods=3,
        )
        alarm_above(
            self,
            "DeadLettersLostAlarm",
            shared=shared,
            name=f"{name}-dead-letters-lost",
            meaning=f"Lambda could not write a dead letter of {name}: check the bucket, its key and the role.",
            metric=self.metric("DestinationDeliveryFailures", statistic="Sum", period=minute),
            threshold=0,
        )

    def _watch_memory(self, shared: Shared, name: str, logs: KeptLogs, size: FunctionSize) -> None:
        """Lambda measures no memory; the last line of each call's log tells it."""
        used = aws_logs.MetricFilter(
            self,
            "Memory",
            filter_name="memory",
            log_group=logs,
            filter_pattern=aws_logs.FilterPattern.literal(_REPORT),
            metric_namespace=f"{shared.names.metrics_namespace}/memory",
            metric_name=name,
            metric_value="$used",
        )
        alarm_above(
            self,
            "MemoryAlarm",
            shared=shared,
            name=f"{name}-memory",
            meaning=f"{name} uses nearly all of its {size.memory_mb} MB: look for what grows, or give it more.",
            metric=used.metric(statistic="Maximum", period=Duration.minutes(5)),
            threshold=_FULL_SHARE * size.memory_mb,
        )


def _role(
    scope: Construct, construct_id: str, shared: Shared, name: str, permissions: Sequence[aws_iam.PolicyStatement]
) -> aws_iam.Role:
    role = aws_iam.Role(
        scope,
        construct_id,
        role_name=shared.names.role(name),
        description=f"What {name} may do.",
        assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"),
    )
    for statement in (*permissions, *write_dead_letters(shared.names), *use_key(shared.key)):
        role.add_to_policy(statement)
    return role


def _variables(shared: Shared, name: str) -> dict[str, str]:
    return {
        **shared.names.variables(),
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": shared.names.metrics_namespace,
        "POWERTOOLS_LOG_LEVEL": shared.environment.log_level.value,
    }
