"""A state machine as we make them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration, aws_stepfunctions
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.constructs.logs import KeptLogs
from infra.nag import accept
from infra.shared import Shared

_LOG_DELIVERY = "Log delivery and X-Ray have no resource to name: their actions allow only '*'."


class Workflow(aws_stepfunctions.StateMachine):
    """A state machine from an ASL file, every step logged and traced, with an alarm on failed runs.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Key and alarm topic.
    name
        Its name after ``vintner-{environment}-``.
    definition
        The ``*.asl.json`` file.
    substitutions
        Values of the ``${Name}`` places in the file.
    timeout_seconds
        Longest run.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        name: str,
        definition: Path,
        substitutions: Mapping[str, str],
        timeout_seconds: int,
    ) -> None:
        logs = KeptLogs(
            scope, f"{construct_id}Logs", shared=shared, name=shared.names.service_log_group(f"states/{name}")
        )
        super().__init__(
            scope,
            construct_id,
            state_machine_name=shared.names.of(name),
            definition_body=aws_stepfunctions.DefinitionBody.from_string(definition.read_text(encoding="utf-8")),
            definition_substitutions=dict(substitutions),
            timeout=Duration.seconds(timeout_seconds),
            tracing_enabled=True,
            logs=aws_stepfunctions.LogOptions(
                destination=logs, level=aws_stepfunctions.LogLevel.ALL, include_execution_data=False
            ),
            removal_policy=shared.removal,
        )
        accept(self, "IAM5[Resource::*]", _LOG_DELIVERY)
        alarm_above(
            self,
            "FailedAlarm",
            shared=shared,
            name=f"{name}-failed",
            meaning=f"A run of {name} failed: its history names the state.",
            metric=self.metric_failed(statistic="Sum", period=Duration.minutes(1)),
            threshold=0,
        )
