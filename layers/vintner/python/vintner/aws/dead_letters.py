"""The function of dead letters: what it is called with, what it is made of in an account, what it measures.

1.  Called with ``{}`` (by a schedule), it takes in the objects and the quarantined records that came since the last
    time, then works on every letter that is due.
2.  Called with an S3 notification (of the bucket, or through EventBridge), it takes in the objects named, at once.
3.  Called with ``{"letters": […]}`` (by the operations API), it works on these letters alone.

What goes wrong with one source or one letter does not stop the others. At the end such a run fails as a whole, after
its metrics, so that the alarm speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from vintner.aws.catalog import open_catalog
from vintner.aws.dead_letters_sources import HasTime, account_ports, take_all_objects, take_all_refused
from vintner.aws.dead_letters_store import DynamoLetterStore
from vintner.aws.settings import Settings, Variables
from vintner.errors import VintnerError
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.reader import load_table
from vintner.messaging.deadletters import LetterProcessor, LetterState, LetterStore

RESERVE: Final = 3
"""One part of so many of the time there was at first is kept for the call under way."""


class DeadLettersEventError(VintnerError, ValueError):
    """An event does not say what to do with dead letters."""

    template = (
        'this event is no call for dead letters: {problem}; send {{}}, {{"letters": […]}} or a notification of S3'
    )


class DeadLettersFailedError(VintnerError):
    """Something was not done that should have been; the rest was."""

    template = "dead letters were not all worked on: {failed}; see the log, and call again"


class DeadLettersSettings(Variables):
    """Where dead letters are: ``VINTNER_LETTERS_TABLE`` and ``VINTNER_DEAD_LETTERS_BUCKET``."""

    letters_table: str = Field(min_length=3)
    dead_letters_bucket: str = Field(min_length=3)


def function_name(environment: str) -> str:
    """Return the name of the function of dead letters in an environment."""
    return f"vintner-{environment}-dead-letters"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call is for: keys of objects, letters by id, or both None: everything."""

    keys: tuple[str, ...] | None = None
    letters: tuple[str, ...] | None = None

    @classmethod
    def of(cls, event: Any, bucket: str) -> Asked:
        """Read an event.

        Raises
        ------
        DeadLettersEventError
            It is of another form, or speaks of another bucket.
        """
        if event == {}:
            return cls()
        if not isinstance(event, Mapping):
            raise DeadLettersEventError(problem="it is no object")
        if set(event) == {"letters"}:
            letters = event["letters"]
            if not isinstance(letters, list) or not all(isinstance(one, str) for one in letters):
                raise DeadLettersEventError(problem="letters is no list of ids")
            return cls(letters=tuple(letters))
        return cls(keys=tuple(_keys(event, bucket)))


def make_processor(store: LetterStore, settings: Settings, where: DeadLettersSettings, *, who: str) -> LetterProcessor:
    """Return the processor of an account."""
    return LetterProcessor(
        store,
        account_ports(where.dead_letters_bucket),
        clock=now,
        who=who,
        itself=function_name(settings.environment),
    )


def open_store(settings: Settings, where: DeadLettersSettings) -> LetterStore:
    """Return the letters of an account."""
    return DynamoLetterStore(where.letters_table, region=settings.region)


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def run_dead_letters(
    processor: LetterProcessor,
    store: LetterStore,
    settings: Settings,
    where: DeadLettersSettings,
    asked: Asked,
    *,
    has_time: HasTime,
) -> dict[str, str]:
    """Do what a call asks for; return what failed and why, by source or letter."""
    if asked.letters is not None:
        processor.work_on(asked.letters, has_time=has_time)
        return dict(processor.report.errors)
    if asked.keys is not None:
        processor.take_objects(asked.keys, has_time=has_time)
        return dict(processor.report.errors)
    failed: dict[str, str] = {}

    def quarantined() -> None:
        table = load_table(open_catalog(settings), settings.glue_database, QUARANTINE)
        take_all_refused(processor, store, table, has_time=has_time)

    def written() -> None:
        take_all_objects(processor, store, where.dead_letters_bucket, has_time=has_time)

    def work() -> None:
        processor.work(has_time=has_time)

    for name, take in (("objects", written), ("quarantine", quarantined), ("work", work)):
        try:
            take()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next source may be well
            failed[name] = f"{type(error).__name__}: {error}"
    return failed | dict(processor.report.errors)


Handler = Callable[[Any, LambdaContext], dict[str, Any]]


def dead_letters_handler() -> Handler:
    """Return the Lambda handler of dead letters, with its logs, traces and metrics."""
    logger, tracer, metrics = Logger(), Tracer(), Metrics()

    def handle(event: Any, context: LambdaContext) -> dict[str, Any]:
        settings, where = Settings.from_environment(), DeadLettersSettings.from_environment()
        asked = Asked.of(event, where.dead_letters_bucket)
        store = open_store(settings, where)
        processor = make_processor(store, settings, where, who=f"dead letters {context.aws_request_id}")
        reserve = context.get_remaining_time_in_millis() // RESERVE
        failed = run_dead_letters(
            processor,
            store,
            settings,
            where,
            asked,
            has_time=lambda: context.get_remaining_time_in_millis() > reserve,
        )
        answer = {"counts": dict(processor.report.counts), "failed": failed}
        measure(store, answer, metrics, settings.environment)
        logger.info("worked on dead letters", extra={"report": answer})
        if failed:
            raise DeadLettersFailedError(failed=failed)
        return answer

    traced: Handler = tracer.capture_lambda_handler(handle)
    logged: Handler = logger.inject_lambda_context(traced)
    return logged


def measure(store: LetterStore, answer: Mapping[str, Any], metrics: Metrics, environment: str) -> None:
    """Emit the metrics of a run, and of the letters as they stand after it."""
    counts = answer["counts"]
    waiting = sum(store.tally(state).count for state in (LetterState.WAITING, LetterState.RETRYING, LetterState.NEW))
    parked = store.tally(LetterState.PARKED)
    age = (now() - parked.oldest).total_seconds() if parked.oldest else 0.0
    metrics.add_dimension("environment", environment)
    for name, unit, value in (
        ("DeadLettersWaiting", MetricUnit.Count, waiting),
        ("DeadLettersParked", MetricUnit.Count, parked.count),
        ("OldestParkedSeconds", MetricUnit.Seconds, max(age, 0.0)),
        ("Redriven", MetricUnit.Count, counts.get("tried", 0)),
        ("Found", MetricUnit.Count, counts.get("found", 0)),
        ("Resolved", MetricUnit.Count, counts.get(LetterState.RESOLVED.value, 0)),
        ("Failures", MetricUnit.Count, len(answer["failed"])),
    ):
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()


def _keys(event: Mapping[str, Any], bucket: str) -> list[str]:
    try:
        if "detail" in event:
            told = [(event["detail"]["bucket"]["name"], event["detail"]["object"]["key"])]
        else:
            entries = [record["s3"] for record in event["Records"]]
            told = [(one["bucket"]["name"], unquote_plus(one["object"]["key"])) for one in entries]
    except (KeyError, TypeError) as cause:
        raise DeadLettersEventError(problem=f"{cause} is missing") from cause
    if strange := {name for name, _ in told if name != bucket}:
        raise DeadLettersEventError(problem=f"bucket {', '.join(sorted(map(str, strange)))} is not {bucket}")
    return [key for _, key in told]
