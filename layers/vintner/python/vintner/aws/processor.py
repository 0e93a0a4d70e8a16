"""What a stream's processor is made of in an account: one store, one online table, one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from vintner.aws.catalog import open_catalog
from vintner.aws.online import DynamoOnlineStore
from vintner.aws.settings import Settings
from vintner.lake.store import FactStore
from vintner.marketdata import IngestReport, datasets_of, ingest
from vintner.messaging import deliveries


class StreamProcessor:
    """Ingests the Lambda events of one stream's mapping.

    Parameters
    ----------
    stream
        Logical name of the stream (``market_data``, ``macro_data``).

    Examples
    --------
    >>> processor = StreamProcessor("macro_data")
    >>> processor.process(event)  # doctest: +SKIP
    IngestReport(records=1, kept=1, redelivered=0, duplicates=0, refused={})
    """

    def __init__(self, stream: str) -> None:
        self._datasets = datasets_of(stream)

    def process(self, event: Mapping[str, Any]) -> IngestReport:
        """Ingest the deliveries of an event.

        Raises
        ------
        VintnerError, botocore.exceptions.ClientError
            Infrastructure failed; the mapping delivers the batch again.
        """
        return ingest(deliveries(event), self._datasets, store=self._store, online=self._online, now=_now())

    @cached_property
    def _settings(self) -> Settings:
        return Settings.from_environment()

    @cached_property
    def _store(self) -> FactStore:
        return FactStore(open_catalog(self._settings), self._settings.glue_database, clock=_now)

    @cached_property
    def _online(self) -> DynamoOnlineStore:
        return DynamoOnlineStore(self._settings.online_table, region=self._settings.region)


def _now() -> datetime:
    return datetime.now(UTC)


Handler = Callable[[dict[str, Any], LambdaContext], dict[str, list[Any]]]


def stream_handler(stream: str) -> Handler:
    """Return the Lambda handler of a stream's processor, with its logs, traces and metrics.

    Bad records are quarantined, so none is ever given back to the mapping; a failure of the platform raises, and the
    whole batch is delivered again.
    """
    logger, tracer, metrics, processor = Logger(), Tracer(), Metrics(), StreamProcessor(stream)

    def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, list[Any]]:
        report = processor.process(event)
        counts = {"Kept": report.kept, "Duplicates": report.duplicates, "Redelivered": report.redelivered}
        for name, count in (counts | {"Quarantined": sum(report.refused.values())}).items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
        logger.info("ingested", extra={"records": report.records, "refused": report.refused} | counts)
        return {"batchItemFailures": []}

    traced: Handler = tracer.capture_lambda_handler(metrics.log_metrics(handle))
    logged: Handler = logger.inject_lambda_context(traced)
    return logged
