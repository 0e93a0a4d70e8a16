"""A schedule as we make them."""

from __future__ import annotations

from aws_cdk import Duration, Stack, aws_iam, aws_scheduler
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.constructs.function import HandlerFunction
from infra.constructs.permissions import call
from infra.shared import Shared

_ATTEMPTS = 5
_LATEST_SECONDS = 3600


class Schedule(Construct):
    """A schedule that calls one function with an empty event, with a role that may do that and nothing else.

    A call that cannot be made is tried again for an hour, then given up and an alarm speaks: the event says nothing
    worth a queue of dead letters, and the next call does what this one did not. What becomes of a call that was made
    is the function's to tell: its retries, dead letters and alarms are its own.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Names and alarm topic.
    name
        Its name after ``vintner-{environment}-``, and its group's.
    description
        One sentence.
    function
        What it calls.
    expression
        When, UTC: ``cron(…)`` or ``rate(…)``.
    window_minutes
        It calls within so many minutes of that; None calls then.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        name: str,
        description: str,
        function: HandlerFunction,
        expression: str,
        window_minutes: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        # The metrics of a schedule are those of its group.
        group = aws_scheduler.ScheduleGroup(self, "Group", schedule_group_name=shared.names.of(name))
        role = self._role(shared, name)
        role.add_to_policy(call(function.function_arn))
        schedule = aws_scheduler.CfnSchedule(
            self,
            "Schedule",
            name=shared.names.of(name),
            group_name=group.schedule_group_name,
            description=description,
            schedule_expression=expression,
            flexible_time_window=aws_scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE" if window_minutes else "OFF", maximum_window_in_minutes=window_minutes
            ),
            target=_target(function, role),
        )
        schedule.node.add_dependency(role)
        self._watch(shared, name, group)

    def _watch(self, shared: Shared, name: str, group: aws_scheduler.ScheduleGroup) -> None:
        alarm_above(
            self,
            "DroppedAlarm",
            shared=shared,
            name=f"{name}-schedule-dropped",
            meaning=f"The schedule {name} could not call its function: look at its role, and whether both are there.",
            metric=group.metric_dropped(statistic="Sum", period=Duration.minutes(1)),
            threshold=0,
        )

    def _role(self, shared: Shared, name: str) -> aws_iam.Role:
        group = shared.names.arn("scheduler", f"schedule-group/{shared.names.of(name)}")
        return aws_iam.Role(
            self,
            "Role",
            role_name=shared.names.role(f"{name}-schedule"),
            description=f"Lets the schedule {name} call its function.",
            assumed_by=aws_iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account, "aws:SourceArn": group}},
            ),
        )


def _target(function: HandlerFunction, role: aws_iam.Role) -> aws_scheduler.CfnSchedule.TargetProperty:
    schedule = aws_scheduler.CfnSchedule
    return schedule.TargetProperty(
        arn=function.function_arn,
        role_arn=role.role_arn,
        input="{}",
        retry_policy=schedule.RetryPolicyProperty(
            maximum_event_age_in_seconds=_LATEST_SECONDS, maximum_retry_attempts=_ATTEMPTS
        ),
    )
