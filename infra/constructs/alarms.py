"""An alarm as we make them: named, explained, and heard."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aws_cdk import Duration, aws_cloudwatch, aws_cloudwatch_actions
from constructs import Construct

from infra.shared import Shared

_NO_DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType({})


def own_metric(
    shared: Shared,
    *,
    service: str,
    name: str,
    statistic: str,
    period: Duration | None = None,
    dimensions: Mapping[str, str] = _NO_DIMENSIONS,
) -> aws_cloudwatch.Metric:
    """Return a metric that a function of ours writes.

    Parameters
    ----------
    shared
        Names.
    service
        The function's name after ``vintner-{environment}-``.
    name
        The metric's name.
    statistic, period
        How its values are taken together; by the minute, if no period is given.
    dimensions
        What it is told apart by besides the service.
    """
    return aws_cloudwatch.Metric(
        namespace=shared.names.metrics_namespace,
        metric_name=name,
        dimensions_map={"service": service, **dimensions},
        statistic=statistic,
        period=period or Duration.minutes(1),
    )


def alarm_above(
    scope: Construct,
    construct_id: str,
    *,
    shared: Shared,
    name: str,
    meaning: str,
    metric: aws_cloudwatch.IMetric,
    threshold: float,
    periods: int = 1,
) -> aws_cloudwatch.Alarm:
    """Make an alarm that speaks when a metric is above a threshold.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        The topic to speak to.
    name
        Its name after ``vintner-{environment}-``.
    meaning
        What has happened and what to look at; shown with the alarm.
    metric, threshold, periods
        It speaks after ``periods`` periods in a row above ``threshold``. No data is no alarm.
    """
    alarm = aws_cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=shared.names.of(name),
        alarm_description=meaning,
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        comparison_operator=aws_cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=aws_cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(aws_cloudwatch_actions.SnsAction(shared.alarms))
    return alarm
