"""The repair of gaps in an account: each minute, what is known to be missing is looked at, and mended where it can be.

1.  Silences are looked for in the newest bars; what changed is stated.
2.  Every gap that is known and has not ended is worked on once, the oldest first, while there is time. One that fails
    is told and left, and the next one begun.
3.  Gaps that are older than five minutes and not repaired are counted, and an alarm speaks.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pyarrow as pa
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from vintner.aws.catalog import open_catalog
from vintner.aws.gap_stores import DynamoGapClaims, RestGet, S3Archive
from vintner.aws.settings import Settings, SettingsError
from vintner.aws.streams import KinesisPut
from vintner.errors import VintnerError
from vintner.lake.handle import Lake
from vintner.marketdata.calendars import SessionTable, load_sessions
from vintner.marketdata.gaps import (
    GAPS,
    ArchiveSource,
    Gap,
    GapSourceError,
    GapState,
    HistoricalTradesSource,
    Tolerances,
    Workshop,
    repair,
    watch,
)
from vintner.marketdata.gaps.lake import MEMORY, LakeTrades, known_gaps, seen_of
from vintner.marketdata.gaps.silences import Sessions, Span
from vintner.marketdata.gaps.sources import venue_and_symbol
from vintner.marketdata.venues import VENUES, Venues
from vintner.messaging import Producer
from vintner.messaging.breaker import CircuitBreakers
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import TRADES

UNREPAIRED_AFTER: Final = timedelta(minutes=5)
RESERVE_MS: Final = 15_000
"""Time that must be left for another gap to be begun."""
_WORKED_ON: Final = frozenset({GapState.OPEN, GapState.REPAIRING})
_BREAKERS: Final = CircuitBreakers(time.monotonic)


class GapRepairFailedError(VintnerError):
    """Some gaps could not be worked on; the others were."""

    template = "gaps that could not be worked on: {failed}; see the log, the next run looks at them again"


class GapSettings(Settings):
    """What the repair is told, besides what every process is.

    ``gaps_archive`` is the folder of the archive (by default ``archive/trades`` in the warehouse), ``gaps_rest`` the
    address of a REST service for historical trades (none if left out), ``gaps_rest_venues`` the venues it answers for,
    ``gaps_tolerances`` JSON as :func:`tolerances_of` reads it.
    """

    positions_table: str = Field(min_length=3)
    gaps_archive: str | None = Field(default=None, pattern=r"^s3://[^/]+/.+$")
    gaps_rest: str | None = Field(default=None, pattern=r"^https?://[^/]+")
    gaps_rest_venues: str = "binance-spot"
    gaps_tolerances: str = "{}"

    @property
    def archive(self) -> str:
        """Folder of the archive."""
        return self.gaps_archive or f"{self.warehouse}/archive/trades"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """What a run found and did: gaps by the state they are in after it, how many are unrepaired, and what failed."""

    states: dict[str, int]
    unrepaired: int
    failed: dict[str, str]
    left: int


def tolerances_of(text: str) -> Tolerances:
    """Return tolerances stated as JSON: seconds, by ``default``, ``venues`` and ``instruments``.

    Raises
    ------
    SettingsError
        It is not that.

    Examples
    --------
    >>> tolerances_of('{"default": 60, "instruments": {"THIN@XNYS": 3600}}').of("THIN@XNYS").seconds
    3600
    """
    try:
        stated = json.loads(text)
        default = stated.get("default", 300)
        return Tolerances(
            default=None if default is None else timedelta(seconds=default),
            by_venue={name: timedelta(seconds=one) for name, one in stated.get("venues", {}).items()},
            by_instrument={name: timedelta(seconds=one) for name, one in stated.get("instruments", {}).items()},
        )
    except (ValueError, TypeError, AttributeError) as cause:
        raise SettingsError(names=GapSettings.variable("gaps_tolerances"), detail=str(cause)) from cause


class RepairSender:
    """Publishes trades of repairs: one publisher for each producer, the last kept while its repair goes on."""

    def __init__(self, settings: Settings, put: KinesisPut) -> None:
        self._settings = settings
        self._put = put
        self._last: Publisher | None = None

    def __call__(self, producer: str, rows: pa.RecordBatch) -> None:
        """Publish; return when all is accepted."""
        if self._last is None or self._last.producer != producer:
            name = self._settings.environment
            self._last = Publisher(self._put, TRADES, producer=producer, environment_name=name, clock=now)
        self._last.publish(rows)
        self._last.flush()


def open_workshop(settings: GapSettings, lake: Lake, put: KinesisPut) -> Workshop:
    """Return what repairs of a deployment need."""
    files, facts = S3Archive(), Producer(put, f"vintner-{settings.environment}-market-data", name="gap-repair")
    held = LakeTrades(lake)
    archive = ArchiveSource(files.list_files, files.read_file, settings.archive, clock=now)
    rest = []
    if settings.gaps_rest:
        venues = settings.gaps_rest_venues.split(",")
        rest.append(HistoricalTradesSource(RestGet(settings.gaps_rest), venues=venues, clock=now))

    def tell(gap: Gap) -> None:
        facts.send(GAPS.name, "gap-repair", [gap.fact()], sent_at=now())

    return Workshop(
        claims=DynamoGapClaims(settings.positions_table),
        held=held,
        sources=[held, archive, *rest],
        span_sources=[archive],
        breaker=lambda name: _BREAKERS[name].call(GapSourceError),
        numbers_are_dense=dense_by(VENUES),
        publish=RepairSender(settings, put),
        tell=tell,
        clock=now,
    )


def dense_by(venues: Venues) -> Callable[[str], bool]:
    """Return what says whether an instrument's venue numbers its trades without holes."""

    def dense(instrument: str) -> bool:
        venue = venues.get(venue_and_symbol(instrument)[0])
        return venue is not None and venue.dense

    return dense


def sessions_by(venues: Venues, table: SessionTable, at: datetime) -> Sessions:
    """Return what says the sessions of the last day of an instrument, a lunch break cut out of each."""

    @cache
    def of_calendar(name: str) -> Sequence[Span]:
        found: list[Span] = []
        for one in table.sessions(name).slice(*_late(table, name, at)).to_pylist():
            breaks = [one["break_starts_at"], one["break_ends_at"]] if one["break_starts_at"] else []
            edges = [one["opens_at"], *breaks, one["closes_at"]]
            found += zip(edges[::2], edges[1::2], strict=True)
        return found

    def sessions(instrument: str) -> Sequence[Span] | None:
        venue = venues.get(venue_and_symbol(instrument)[0])
        return None if venue is None or venue.calendar is None else of_calendar(venue.calendar)

    return sessions


def _late(table: SessionTable, calendar: str, at: datetime) -> tuple[int, int]:
    """Return offset and number of the sessions that were open within the last day."""
    number, until = table.index(calendar), int(at.timestamp()) * 1_000_000
    since = until - timedelta(days=1) // timedelta(microseconds=1)
    first = bisect_right(table.closes(number).to_pylist(), since)
    return first, bisect_left(table.opens(number).to_pylist(), until) - first


def run_repairs(
    lake: Lake,
    shop: Workshop,
    *,
    sessions: Sessions,
    tolerances: Tolerances,
    has_time: Callable[[], bool],
    log: Any,
) -> GapReport:
    """Look at every gap there is; see the module's steps.

    Parameters
    ----------
    has_time
        Asked before each gap.
    log
        Told each failure with its cause.
    """
    at = shop.clock()
    gaps = known_gaps(lake, since=at - MEMORY)
    for changed in list(watch(seen_of(lake, now=at), gaps.values(), sessions, tolerances, now=at)):
        shop.tell(changed)
        gaps[changed.gap_id] = changed
    failed: dict[str, str] = {}
    todo = [gap for gap in gaps.values() if not gap.has_ended]
    left = len(todo)
    for gap in todo:
        if not has_time():
            break
        left -= 1
        try:
            gaps[gap.gap_id] = repair(gap, shop)
        except Exception as error:  # whatever it is, the next gap may be well
            log.exception("repair failed", extra={"gap": gap.gap_id})
            failed[gap.gap_id] = f"{type(error).__name__}: {error}"
    states = Counter(gap.state.value for gap in gaps.values())
    return GapReport(states=dict(states), unrepaired=unrepaired(gaps.values(), shop.clock()), failed=failed, left=left)


def unrepaired(gaps: Any, at: datetime) -> int:
    """Return how many gaps are open, or being repaired, for over five minutes."""
    return sum(gap.state in _WORKED_ON and gap.opened_at + UNREPAIRED_AFTER < at for gap in gaps)


Handler = Callable[[Any, LambdaContext], dict[str, Any]]


def gap_repair_handler() -> Handler:
    """Return the Lambda handler that repairs gaps, with its logs, traces and metrics."""
    logger, tracer, metrics = Logger(), Tracer(), Metrics()

    def handle(_event: Any, context: LambdaContext) -> dict[str, Any]:
        settings = GapSettings.from_environment()
        lake = Lake(open_catalog(settings), settings.glue_database, now)
        report = run_repairs(
            lake,
            open_workshop(settings, lake, KinesisPut()),
            sessions=sessions_by(VENUES, load_sessions(), now()),
            tolerances=tolerances_of(settings.gaps_tolerances),
            has_time=lambda: context.get_remaining_time_in_millis() >= RESERVE_MS,
            log=logger,
        )
        _measure(report, metrics, settings.environment)
        answer = {"states": report.states, "unrepaired": report.unrepaired, "left": report.left}
        logger.info("gaps", extra={"report": answer})
        if report.failed:
            raise GapRepairFailedError(failed=report.failed)
        return answer

    traced: Handler = tracer.capture_lambda_handler(handle)
    logged: Handler = logger.inject_lambda_context(traced)
    return logged


def _measure(report: GapReport, metrics: Metrics, environment: str) -> None:
    metrics.add_dimension("environment", environment)
    counts = {state.value: report.states.get(state.value, 0) for state in GapState}
    for name, value in (
        ("UnrepairedGaps", report.unrepaired),
        ("GapsLeft", report.left),
        ("Failures", len(report.failed)),
        ("CircuitsOpen", len(_BREAKERS.open)),
        *((f"Gaps{state.title()}", count) for state, count in counts.items()),
    ):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)
