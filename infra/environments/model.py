"""What an environment may say about itself. Everything is stated, checked and frozen; nothing is read from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vintner.messaging.streams import LANES, STREAMS, Role, Stream

AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
ResourceType = Annotated[str, StringConstraints(pattern=r"^AWS::[A-Za-z0-9]+::[A-Za-z0-9]+$")]
Address = Annotated[str, StringConstraints(pattern=r"^https://[^/\s]+$")]
Reason = Annotated[str, StringConstraints(min_length=20)]
ScheduleExpression = Annotated[str, StringConstraints(pattern=r"^(cron|rate)\(.+\)$")]
Frozen = AfterValidator(lambda mapping: MappingProxyType(dict(mapping)))

LOG_RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
"""The retentions CloudWatch Logs accepts, days."""

GATEWAY_SECONDS: Final = 29
"""How long API Gateway waits for a function."""


def _accepted_retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError(f"CloudWatch Logs keeps logs for one of {LOG_RETENTION_DAYS} days, not {days}")
    return days


class Architecture(StrEnum):
    """Processor architecture of the functions and of the dependency layer."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


class Removal(StrEnum):
    """What becomes of data when its stack is deleted."""

    DESTROY = "destroy"
    RETAIN = "retain"


class LogLevel(StrEnum):
    """Lowest level the functions log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"


class Part(BaseModel):
    """Base of every part of an environment: unknown fields refused, no coercion, no change after creation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FunctionSize(Part):
    """Size of one function."""

    memory_mb: int = Field(ge=256, le=10_240, description="1,769 MB is one virtual CPU.")
    timeout_seconds: int = Field(ge=1, le=900)


class StreamSize(Part):
    """Size of one stream of an environment.

    What a stream declares about itself (:mod:`vintner.messaging.streams`) is the least: the longer retention counts.
    """

    shards: int = Field(ge=1, le=LANES, description="A stream has so many partition keys: more shards stay empty.")
    retention_hours: int = Field(ge=24, le=8760)


class DrainSize(Part):
    """Size of a function that drains a stream, and of the mapping that feeds it.

    The retries of the mapping end before the stream forgets a record: what still fails then is written to the
    dead letters bucket with its payload and the shard moves on.
    """

    function: FunctionSize
    batch_size: int = Field(ge=1, le=10_000, description="Records a call; Lambda also caps a call at 6 MB.")
    batching_window_seconds: int = Field(ge=0, le=300)
    retry_attempts: int = Field(ge=0, le=10_000)
    record_age_seconds: int = Field(ge=60, le=604_800)
    late_seconds: int = Field(ge=10, description="An alarm speaks when records wait longer.")


class FactsSize(Part):
    """Size of a stream of facts and of its processor."""

    stream: StreamSize
    processor: DrainSize

    @model_validator(mode="after")
    def _gives_up_in_time(self) -> Self:
        _require_time("its processor", self.processor, self.stream.retention_hours)
        return self


class ApiSize(Part):
    """Size of the HTTP API and of its function."""

    function: FunctionSize
    requests_per_second: int = Field(ge=1)
    burst: int = Field(ge=1)


class MaintenanceSize(Part):
    """When and how far the lake is maintained, and the size of the function that does it."""

    function: FunctionSize
    schedule: ScheduleExpression = Field(description="When it begins, UTC, as EventBridge Scheduler writes it.")
    window_minutes: int = Field(ge=1, le=1440, description="It begins within so many minutes of that.")
    few: int = Field(ge=2, description="Fewer small files than this in a partition are left alone.")
    keep_for_days: int = Field(ge=1, description="Snapshots younger than this stay.")
    keep_last: int = Field(ge=1, description="So many newest snapshots stay, however old.")
    safe_age_hours: int = Field(ge=1, description="Longer than any commit or read takes: younger files stay.")
    reserve_seconds: int = Field(ge=1, description="Time that must be left for another step to begin.")

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        if self.reserve_seconds >= self.function.timeout_seconds:
            raise ValueError("reserve_seconds leaves no time of timeout_seconds: no step would ever begin")
        return self

    def variables(self) -> dict[str, str]:
        """Return the variables by which the function is told."""
        told = ("few", "keep_for_days", "keep_last", "safe_age_hours", "reserve_seconds")
        return {f"VINTNER_MAINTENANCE_{name.upper()}": str(getattr(self, name)) for name in told}


class IngressSize(Part):
    """Sizes of the functions that take records in."""

    http: FunctionSize
    files: FunctionSize

    @model_validator(mode="after")
    def _answers_in_time(self) -> Self:
        _require_answer("http", self.http)
        return self


class DeadLettersSize(Part):
    """When dead letters are looked at, and the sizes of the function that does and of that of operations."""

    function: FunctionSize
    operations: FunctionSize
    schedule: ScheduleExpression

    @model_validator(mode="after")
    def _answers_in_time(self) -> Self:
        _require_answer("operations", self.operations)
        return self


class GapsSize(Part):
    """When gaps are looked for, the size of the function that does, and where else trades can be had."""

    function: FunctionSize
    schedule: ScheduleExpression
    rest: Address | None = Field(description="A REST service that is asked for historical trades; None asks none.")

    def variables(self) -> dict[str, str]:
        """Return the variables by which the function is told."""
        return {} if self.rest is None else {"VINTNER_GAPS_REST": self.rest}


class Keep(Part):
    """How long things are kept, days."""

    logs: Annotated[int, AfterValidator(_accepted_retention)]
    access_logs: int = Field(ge=1)
    query_results: int = Field(ge=1)
    dead_letters: int = Field(ge=14, description="Long enough to notice, repair and replay.")
    replaced_objects: int = Field(ge=1, description="Noncurrent versions of objects.")
    replaced_snapshots: int = Field(ge=1, description="Earlier snapshots of the processors' state.")
    dropped_files: int = Field(ge=1, description="Files that were dropped to be taken in.")


class Environment(Part):
    """One place Vintner is deployed to.

    Parameters
    ----------
    name
        Part of every resource's name.
    account
        Twelve digits, or None: the account of whoever deploys.
    region
        Region of every stack.
    protected
        Deletion protection of tables and termination protection of stacks.
    bundle_dependencies
        Whether the dependency layer is built and attached; where not, the ground's interpreter brings the packages.
    market_data, macro_data
        Streams of facts as JSON, each with its processor.
    streams
        Size of every declared stream, by its name.
    consumers
        Size of the functions that drain declared streams, by their role.
    left_out
        CloudFormation type -> reason, of what this ground cannot deploy.

    Examples
    --------
    >>> from infra.environments import get
    >>> get("prod").removal.value, get("laptop").account
    ('retain', '000000000000')
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,12}$")]
    account: AccountId | None
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    owner: Annotated[str, StringConstraints(min_length=1)]
    cost_centre: Annotated[str, StringConstraints(min_length=1)]
    removal: Removal
    protected: bool
    point_in_time_recovery: bool
    architecture: Architecture
    bundle_dependencies: bool
    log_level: LogLevel
    alarm_addresses: tuple[EmailAddress, ...]
    market_data: FactsSize
    macro_data: FactsSize
    streams: Annotated[Mapping[str, StreamSize], Frozen]
    consumers: Annotated[Mapping[Role, DrainSize], Frozen]
    ingress: IngressSize
    dead_letters: DeadLettersSize
    gaps: GapsSize
    features_api: ApiSize
    maintenance: MaintenanceSize
    keep: Keep
    athena_scan_limit_mb: int = Field(ge=10, description="A query that would scan more is stopped.")
    left_out: Annotated[Mapping[ResourceType, Reason], Frozen] = Field(default_factory=dict, validate_default=True)

    @model_validator(mode="after")
    def _sizes_what_is_declared(self) -> Self:
        _require_exactly("streams", self.streams, STREAMS)
        _require_exactly("consumers", self.consumers, Role)
        for stream in STREAMS.values():
            for consumer in stream.consumers:
                drain, told = self.consumers[consumer.role], f"{consumer.function} of {stream.name}"
                _require_time(told, drain, self.retention_hours(stream))
        return self

    def retention_hours(self, stream: Stream) -> int:
        """Return how long records stay in a declared stream here, hours."""
        return max(stream.retention_hours, self.streams[stream.name].retention_hours)


def _require_exactly(field: str, stated: Collection[str], declared: Iterable[str]) -> None:
    names = [str(name) for name in declared]
    if unknown := [str(name) for name in stated if name not in names]:
        raise ValueError(f"{field} sizes {', '.join(unknown)}, which nothing declares; declared are {', '.join(names)}")
    if missing := [name for name in names if name not in stated]:
        raise ValueError(f"{field} does not size {', '.join(missing)}: state it")


def _require_answer(field: str, function: FunctionSize) -> None:
    if function.timeout_seconds > GATEWAY_SECONDS:
        raise ValueError(f"API Gateway gives up after {GATEWAY_SECONDS} s: timeout_seconds of {field} is longer")


def _require_time(who: str, drain: DrainSize, retention_hours: int) -> None:
    if drain.record_age_seconds >= retention_hours * 3600:
        raise ValueError(
            f"{who} tries a record for {drain.record_age_seconds} s, which the stream forgets after"
            f" {retention_hours} h: lower record_age_seconds or raise retention_hours"
        )
