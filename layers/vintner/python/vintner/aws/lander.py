"""What a stream's lander is made of in an account: a store, an online table where it serves, a clock.

Of a batch that cannot be landed all is given back, by raising, never a part of it by ``batchItemFailures``. A part
would be sound only where what comes before the first failure is done and the failure concerns one delivery alone.
Neither is so here: a call lands all its deliveries in one commit, so the failure of that is the failure of each; and
what concerns one delivery alone (bytes that cannot be read, a record that breaks a rule) is no failure, it is refused
and kept. An answer that names a failed record is moreover taken for a success by whatever does not know it, and what
follows would be lost; an error is taken for an error by all. Landing again costs a look-up and changes nothing. The
answer of a success is the empty list, which a mapping that asks for failed records wants to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from vintner.aws.catalog import open_catalog
from vintner.aws.invocation import in_parts
from vintner.aws.judging import open_contexts
from vintner.aws.online import DynamoOnlineStore
from vintner.aws.settings import Settings
from vintner.datasets import dataset_of
from vintner.lake.store import FactStore
from vintner.marketdata.landing import BarsLander, Lander, LandReport, Normalise
from vintner.marketdata.normalise import Context, Normalised, normalise_quotes, normalise_trades
from vintner.marketdata.normalise.rules import UNKNOWN_SYMBOL
from vintner.marketdata.processing import Pinned
from vintner.messaging.streams import BARS, L1, TRADES, Stream, stream_named

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, list[Any]]]

_NORMALISE: Final[Mapping[str, Callable[[Any, Context], Any]]] = {
    TRADES.name: normalise_trades,
    L1.name: normalise_quotes,
}


def open_store(settings: Settings) -> FactStore:
    """Return the lake of a deployment, written to by the present clock."""
    return FactStore(open_catalog(settings), settings.glue_database, clock=_now)


def open_lander(stream: Stream) -> Lander:
    """Return the lander of a stream in the deployment that the environment names."""
    settings, dataset = Settings.from_environment(), dataset_of(stream.name)
    online = DynamoOnlineStore(settings.online_table, region=settings.region) if dataset.served else None
    kind = BarsLander if stream.name == BARS.name else Lander
    return kind(stream, dataset, open_store(settings), online, _normalise(stream, settings))


def lander_handler(stream: str) -> Handler:
    """Return the Lambda handler of a stream's lander, with its logs, traces and metrics.

    Parameters
    ----------
    stream
        Name of a declared stream, for instance ``market_data.trades``.
    """
    return landing_handler(partial(open_lander, stream_named(stream)))


def landing_handler(make: Callable[[], Lander]) -> Handler:
    """Return the Lambda handler of a lander, which is made when the first event comes.

    A failure of the platform raises, and the whole batch is delivered again; see the module.
    """
    logger, tracer, metrics = Logger(), Tracer(), Metrics()
    made: list[Lander] = []

    def tell(report: LandReport) -> None:
        for name, count in (report.counts | dict(report.notes)).items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
        lag = _lag(report)
        if lag is not None:
            metrics.add_metric(name="LagMilliseconds", unit=MetricUnit.Milliseconds, value=lag)
        logger.info("landed", extra=_told(report, lag))

    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, list[Any]]:
        try:
            if not made:
                made.append(make())
            for report in in_parts(event, context, made[0].land):
                tell(report)
        except Exception:
            metrics.add_metric(name="Failed", unit=MetricUnit.Count, value=1)
            raise
        return {"batchItemFailures": []}

    traced: Handler = tracer.capture_lambda_handler(metrics.log_metrics(handle))
    logged: Handler = logger.inject_lambda_context(traced)
    return logged


def _normalise(stream: Stream, settings: Settings) -> Normalise | None:
    if stream.name not in _NORMALISE:
        return None
    judge: Callable[[pa.Table, Context], Normalised] = _NORMALISE[stream.name]
    pinned = Pinned(open_contexts(settings)[0])

    def normalise(rows: pa.Table) -> Normalised:
        normalised = judge(rows, pinned.context)
        unknown = pc.any(pc.equal(normalised.refused["rule"], UNKNOWN_SYMBOL), min_count=0).as_py()
        # A symbol may have been stated since this process began.
        return judge(rows, pinned.context) if unknown and pinned.renew() else normalised

    return normalise


def _told(report: LandReport, lag: float | None) -> dict[str, Any]:
    told: dict[str, Any] = {"records": report.records, "refused": dict(report.refused), "lag_ms": lag}
    return told | report.counts | dict(report.notes)


def _lag(report: LandReport) -> float | None:
    """Return the age of the oldest batch that was landed, in milliseconds: from its sending to now."""
    return None if report.sent_at is None else (_now() - report.sent_at) / timedelta(milliseconds=1)


def _now() -> datetime:
    return datetime.now(UTC)
