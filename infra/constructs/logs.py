"""A log group as we make them."""

from __future__ import annotations

from typing import Final

from aws_cdk import RemovalPolicy, aws_logs
from constructs import Construct

from infra.shared import Shared

_RETENTION: Final = {
    1: aws_logs.RetentionDays.ONE_DAY,
    3: aws_logs.RetentionDays.THREE_DAYS,
    5: aws_logs.RetentionDays.FIVE_DAYS,
    7: aws_logs.RetentionDays.ONE_WEEK,
    14: aws_logs.RetentionDays.TWO_WEEKS,
    30: aws_logs.RetentionDays.ONE_MONTH,
    60: aws_logs.RetentionDays.TWO_MONTHS,
    90: aws_logs.RetentionDays.THREE_MONTHS,
    120: aws_logs.RetentionDays.FOUR_MONTHS,
    150: aws_logs.RetentionDays.FIVE_MONTHS,
    180: aws_logs.RetentionDays.SIX_MONTHS,
    365: aws_logs.RetentionDays.ONE_YEAR,
    400: aws_logs.RetentionDays.THIRTEEN_MONTHS,
    545: aws_logs.RetentionDays.EIGHTEEN_MONTHS,
    731: aws_logs.RetentionDays.TWO_YEARS,
    1096: aws_logs.RetentionDays.THREE_YEARS,
    1827: aws_logs.RetentionDays.FIVE_YEARS,
    3653: aws_logs.RetentionDays.TEN_YEARS,
}


class KeptLogs(aws_logs.LogGroup):
    """A log group with a stated retention, encrypted with our key."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: Shared, name: str) -> None:
        super().__init__(
            scope,
            construct_id,
            log_group_name=name,
            retention=_RETENTION[shared.environment.keep.logs],
            encryption_key=shared.key,
            removal_policy=RemovalPolicy.DESTROY,
        )
