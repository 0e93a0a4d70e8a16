"""How the lake's maintenance is called, told and watched."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.infra.synthesis import Synthesis, grants, text
from vintner.aws.maintenance import MaintenanceSettings


def test_maintenance_is_called_by_a_schedule_that_may_do_nothing_else(synthesis: Synthesis):
    [schedule] = [one for one in synthesis.resources("AWS::Scheduler::Schedule") if one.stack == "maintenance"]
    size, target = synthesis.environment.maintenance, schedule.properties["Target"]
    assert schedule.properties["ScheduleExpression"] == size.schedule
    assert schedule.properties["FlexibleTimeWindow"] == {
        "Mode": "FLEXIBLE",
        "MaximumWindowInMinutes": size.window_minutes,
    }
    assert schedule.properties.get("State", "ENABLED") == "ENABLED"
    assert json.loads(target["Input"]) == {}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    template = synthesis.templates["maintenance"]["Resources"]
    function = template[target["Arn"]["Fn::GetAtt"][0]]["Properties"]
    assert text(function["FunctionName"]) == f"vintner-{synthesis.environment.name}-lake-maintenance"
    role = template[target["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert set(trust["Condition"]["StringEquals"]) == {"aws:SourceAccount", "aws:SourceArn"}
    granted = [statement for owner, statement in grants(synthesis) if owner == text(role["RoleName"])]
    assert [(one["Action"], one["Resource"]) for one in granted] == [("lambda:InvokeFunction", target["Arn"])]


def test_maintenance_that_fails_or_does_not_finish_or_is_not_called_raises_an_alarm(synthesis: Synthesis):
    alarms = {
        text(alarm.properties["AlarmName"]): alarm.properties for alarm in synthesis.resources("AWS::CloudWatch::Alarm")
    }
    prefix = f"vintner-{synthesis.environment.name}-lake-maintenance"
    for name, metric, dimensions in (
        ("errors", "Errors", {"FunctionName"}),
        ("unfinished", "TablesLeft", {"environment", "service"}),
        ("schedule-dropped", "InvocationDroppedCount", {"ScheduleGroup"}),
    ):
        alarm = alarms[f"{prefix}-{name}"]
        assert (alarm["MetricName"], alarm["Threshold"]) == (metric, 0)
        assert {dimension["Name"] for dimension in alarm["Dimensions"]} == dimensions
        assert alarm["AlarmActions"]


def test_what_maintenance_is_told_is_what_it_accepts(synthesis: Synthesis):
    size, settings = synthesis.environment.maintenance, MaintenanceSettings.from_environment
    told = settings(size.variables())
    assert (told.upkeep.keep_for.days, told.upkeep.keep_last, told.upkeep.few) == (
        size.keep_for_days,
        size.keep_last,
        size.few,
    )
    assert told.upkeep.safe_age == timedelta(hours=size.safe_age_hours)
    assert told.reserve_seconds < size.function.timeout_seconds
