"""Maintenance of the lake by a function, within the time a function has.

1.  The tables come in an order that begins one further each day: what the time does not suffice for one day is first
    on another.
2.  Each step (a group of files compacted, the snapshots of a table expired, its orphans removed) begins only while
    time enough is left. Being ended in the middle of one does no harm either: the next run goes on from there.
3.  A table that fails is told and left, and the next one begun. At the end such a run fails as a whole, so that
    Lambda calls again, keeps the call as a dead letter, and the alarm speaks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings, Variables
from vintner.aws.stored import remove_files, stored_files
from vintner.datasets import DATASETS
from vintner.errors import VintnerError
from vintner.lake.handle import Lake
from vintner.lake.maintenance import Compacted, Expired, Orphans, Upkeep, maintain
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.revisions.records import TABLE as REVISIONS

OWN: Final = (QUARANTINE, REVISIONS)
"""The lake's own tables. They are small, and maintained together."""


class MaintenanceEventError(VintnerError, ValueError):
    """An event does not say what to maintain."""

    template = 'this event is no call for maintenance: {problem}; send {{}}, or {{"tables": […]}} with some of: {known}'


class MaintenanceFailedError(VintnerError):
    """Some tables could not be maintained; the others were."""

    template = "tables that could not be maintained: {failed} (maintained: {done}); see the log, and call again"


class MaintenanceSettings(Variables):
    """How far the lake is maintained; each field is read from ``VINTNER_MAINTENANCE_`` + its name in capitals.

    ``reserve_seconds`` is the time that must be left for another step to begin; the others are those of
    :class:`vintner.lake.maintenance.Upkeep`.
    """

    prefix: ClassVar[str] = "VINTNER_MAINTENANCE_"

    few: int = Field(ge=2)
    keep_for_days: int = Field(ge=1)
    keep_last: int = Field(ge=1)
    safe_age_hours: int = Field(ge=1)
    reserve_seconds: int = Field(ge=1)

    @property
    def upkeep(self) -> Upkeep:
        """The settings as the library takes them."""
        return Upkeep(
            few=self.few,
            keep_for=timedelta(days=self.keep_for_days),
            keep_last=self.keep_last,
            safe_age=timedelta(hours=self.safe_age_hours),
        )


class MaintenanceEvent(BaseModel):
    """What to maintain: the tables named, or all."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tables: list[str] | None = Field(default=None, min_length=1)

    @classmethod
    def of(cls, event: Any) -> MaintenanceEvent:
        """Read an event.

        Raises
        ------
        MaintenanceEventError
            It is of another form, or names a table that the lake does not have.
        """
        known = ", ".join((*DATASETS, *OWN))
        try:
            found = cls.model_validate(event)
        except ValidationError as cause:
            problem = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in cause.errors())
            raise MaintenanceEventError(problem=problem, known=known) from cause
        if strange := [name for name in found.tables or () if name not in (*DATASETS, *OWN)]:
            raise MaintenanceEventError(problem=f"there is no table {', '.join(strange)}", known=known)
        return found

    def rounds(self, now: datetime) -> list[tuple[str, ...]]:
        """Return what is maintained one after another: tables in the order named, or all in the order of the day."""
        everything = [*((name,) for name in DATASETS), OWN]
        if self.tables is None:
            first = now.toordinal() % len(everything)
            return everything[first:] + everything[:first]
        return list(dict.fromkeys(OWN if name in OWN else (name,) for name in self.tables))


class TableReport(BaseModel):
    """What was done to a table."""

    model_config = ConfigDict(frozen=True)

    files_compacted: int = 0
    snapshots_expired: int = 0
    files_removed: int = 0
    bytes_removed: int = 0

    def with_step(self, step: Compacted | Expired | Orphans) -> TableReport:
        """Return the report with one more step."""
        if isinstance(step, Compacted):
            return self.model_copy(update={"files_compacted": self.files_compacted + step.files})
        if isinstance(step, Expired):
            return self.model_copy(update={"snapshots_expired": self.snapshots_expired + step.expired})
        files, size = self.files_removed + step.files, self.bytes_removed + step.bytes
        return self.model_copy(update={"files_removed": files, "bytes_removed": size})


class MaintenanceReport(BaseModel):
    """What a run did, by table, and which tables are done, are left for another run, or failed and why."""

    model_config = ConfigDict(frozen=True)

    tables: dict[str, TableReport]
    done: list[str]
    left: list[str]
    failed: dict[str, str]

    def total(self, field: str) -> int:
        """Return the sum of a field over the tables."""
        return sum(getattr(table, field) for table in self.tables.values())


def run_maintenance(
    lake: Lake,
    rounds: Sequence[tuple[str, ...]],
    *,
    upkeep: Upkeep,
    has_time: Callable[[], bool],
    log: logging.Logger | Logger,
) -> MaintenanceReport:
    """Maintain tables while there is time; see the module's steps.

    Parameters
    ----------
    rounds
        What is maintained one after another; see :meth:`MaintenanceEvent.rounds`.
    has_time
        Asked before each step.
    log
        Told each step, and each failure with its cause.
    """
    tables: dict[str, TableReport] = {}
    done: list[str] = []
    failed: dict[str, str] = {}
    for names in rounds:
        datasets = [DATASETS[name] for name in names if name in DATASETS]
        steps = maintain(lake, datasets, stored=stored_files, remove=remove_files, upkeep=upkeep)
        while left := [name for name in names if name not in done]:
            if not has_time():
                break
            try:
                step = next(steps)
            except Exception as error:  # whatever it is, the next table may be well
                log.exception("maintenance failed", extra={"table": left[0]})
                failed[left[0]] = f"{type(error).__name__}: {error}"
                break
            log.info(type(step).__name__.lower(), extra={"step": asdict(step)})
            tables[step.table] = tables.get(step.table, TableReport()).with_step(step)
            if isinstance(step, Orphans):
                done.append(step.table)
    asked = [name for names in rounds for name in names]
    left = [name for name in asked if name not in done and name not in failed]
    return MaintenanceReport(tables=tables, done=done, left=left, failed=failed)


Handler = Callable[[Any, LambdaContext], dict[str, Any]]


def maintenance_handler() -> Handler:
    """Return the Lambda handler that maintains the lake, with its logs, traces and metrics."""
    logger, tracer, metrics = Logger(), Tracer(), Metrics()

    def handle(event: Any, context: LambdaContext) -> dict[str, Any]:
        settings, limits = Settings.from_environment(), MaintenanceSettings.from_environment()
        rounds = MaintenanceEvent.of(event).rounds(_now())
        report = run_maintenance(
            Lake(open_catalog(settings), settings.glue_database, _now),
            rounds,
            upkeep=limits.upkeep,
            has_time=lambda: context.get_remaining_time_in_millis() >= 1000 * limits.reserve_seconds,
            log=logger,
        )
        _measure(report, metrics, settings.environment)
        answer = report.model_dump(mode="json")
        logger.info("maintained", extra={"report": answer})
        if report.failed:
            raise MaintenanceFailedError(failed=report.failed, done=", ".join(report.done) or "none")
        return answer

    traced: Handler = tracer.capture_lambda_handler(handle)
    logged: Handler = logger.inject_lambda_context(traced)
    return logged


def _measure(report: MaintenanceReport, metrics: Metrics, environment: str) -> None:
    metrics.add_dimension("environment", environment)
    for name, unit, value in (
        ("FilesCompacted", MetricUnit.Count, report.total("files_compacted")),
        ("SnapshotsExpired", MetricUnit.Count, report.total("snapshots_expired")),
        ("FilesRemoved", MetricUnit.Count, report.total("files_removed")),
        ("BytesRemoved", MetricUnit.Bytes, report.total("bytes_removed")),
        ("Failures", MetricUnit.Count, len(report.failed)),
        ("TablesLeft", MetricUnit.Count, len(report.left)),
    ):
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()


def _now() -> datetime:
    return datetime.now(UTC)
