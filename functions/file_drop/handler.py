"""File drop: the records of files created under ``incoming/{stream}/`` of the drop bucket.

It needs
- the variables ``VINTNER_ENVIRONMENT`` and ``VINTNER_DROP_BUCKET``;
- ``kinesis:PutRecords`` on the streams that take records from outside;
- ``s3:GetObject`` and ``s3:GetObjectVersion`` on ``incoming/*``, ``s3:GetObject`` and ``s3:PutObject`` on
  ``progress/*`` and ``refused/*`` of the bucket, and ``s3:ListBucket``.

It is called by the bucket, asynchronously. A call that fails, or whose time is too short for its file, is repeated by
Lambda and goes on from what was written down; a call with the same event again does nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from vintner.aws.ingress.drop import FileDrop, dropped_objects
from vintner.aws.settings import Variables
from vintner.aws.streams import KinesisPut

RESERVE_MILLISECONDS: Final = 30_000
"""Time left at which a file is laid down, to be gone on with by the next call."""

logger = Logger()
tracer = Tracer()
metrics = Metrics()


class DropSettings(Variables):
    """What the function must be told."""

    environment: str = Field(pattern=r"^[a-z]+$")
    drop_bucket: str = Field(min_length=3)


@cache
def drop() -> FileDrop:
    """What takes the files."""
    settings = DropSettings.from_environment()
    return FileDrop(KinesisPut(), bucket=settings.drop_bucket, environment_name=settings.environment, clock=clock)


def clock() -> datetime:
    """The present."""
    return datetime.now(UTC)


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the files of one event of the bucket."""

    def in_time() -> bool:
        return context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS

    reports = []
    for dropped in dropped_objects(event):
        report = drop().take(dropped, in_time=in_time)
        if report is None:
            continue
        reports.append(report.document)
        logger.info("taken", extra=report.document)
        metrics.add_metric(name="Accepted", unit=MetricUnit.Count, value=report.accepted)
        metrics.add_metric(name="Refused", unit=MetricUnit.Count, value=report.refused)
    metrics.add_metric(name="Files", unit=MetricUnit.Count, value=len(reports))
    return {"files": reports}
