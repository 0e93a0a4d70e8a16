"""What a stream's processor is made of in an account: a stateful consumer, and a way out for what it derives."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from vintner.aws.invocation import in_parts
from vintner.aws.positions import DynamoClaims
from vintner.aws.settings import Settings
from vintner.aws.shards import KinesisShards
from vintner.aws.snapshots import S3Snapshots
from vintner.aws.streams import KinesisPut
from vintner.messaging import Delivery, Producer, StreamUnavailableError
from vintner.messaging.breaker import CircuitBreakers
from vintner.messaging.delivery_lanes import DeliveryLanes, Entry, PutRecords
from vintner.messaging.stateful import Claims, Derived, LanePipeline, Shards, Snapshots, StatefulConsumer, Work
from vintner.messaging.streams import Stream, partition_key, stream_named
from vintner.messaging.wire import pack

REFERENCE: Final = "market-data"
"""The stream that facts a processor states (gaps) travel in."""


class ProcessingSettings(Settings):
    """Where a processor keeps its state, besides what every process is told."""

    positions_table: str = Field(min_length=3)
    state_bucket: str = Field(min_length=3)

    def stream(self, resource_name: str) -> str:
        """Return the name of a stream of this deployment."""
        return f"vintner-{self.environment}-{resource_name}"


class ListedShards(Shards, Protocol):
    """Shards that are known by name."""

    def names(self) -> Sequence[str]:
        """Return the shards that the stream still knows, parents before what came of them."""
        ...


class DerivedSender:
    """Sends what was derived to the streams it is for, in the order of each lane.

    Parameters
    ----------
    settings
        Names the deployment's streams.
    name
        Who sends, for the facts.
    put
        How entries reach a stream.
    wait
        Waits so many seconds before what was refused is sent again.
    breakers
        A stream that keeps failing is left alone for a while: the batch fails at once and comes again.
    """

    def __init__(
        self,
        settings: ProcessingSettings,
        name: str,
        put: PutRecords,
        *,
        wait: Callable[[float], None] = time.sleep,
        breakers: CircuitBreakers | None = None,
    ) -> None:
        self._breakers = breakers or CircuitBreakers(time.monotonic)
        self._settings = settings
        self._put = put
        self._wait = wait
        self._facts = Producer(put, settings.stream(REFERENCE), name=name, wait=wait)
        self._name = name

    def __call__(self, derived: Derived) -> None:
        """Send; return when all of it is accepted.

        Raises
        ------
        StreamUnavailableError, CircuitOpenError
            A stream keeps refusing.
        """
        by_stream: dict[str, list[Entry]] = {}
        for stream, batch in derived.batches:
            entry = Entry(partition_key(batch.lane), pack(batch), batch.rows.num_rows)
            by_stream.setdefault(stream, []).append(entry)
        for stream, entries in by_stream.items():
            name = self._settings.stream(stream_named(stream).resource_name)
            lanes = DeliveryLanes(self._put, name, wait=self._wait)
            lanes.add(entries)
            with self._breakers[name].call(StreamUnavailableError):
                lanes.drain()
        for dataset, facts in itertools.groupby(derived.facts, key=lambda fact: fact[0]):
            self._facts.send(dataset, self._name, [fact for _, fact in facts], sent_at=_now())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorParts:
    """What a processor is made of in a deployment: its stream and that one's full name, its state, its way out."""

    name: str
    stream: Stream
    stream_name: str
    pipeline: Callable[[], LanePipeline]
    claims: Claims
    snapshots: Snapshots
    shards: ListedShards
    send: Callable[[Derived], None]


class Processed(NamedTuple):
    """What became of the records of an event by outcome, and what was measured, milliseconds."""

    counts: Counter[str]
    gauges: Mapping[str, float]


class Processor:
    """Consumes the Lambda events of one stream's mapping with a subject's work.

    Parameters
    ----------
    stream
        The stream it drains.
    name
        Its folder under ``functions``: in positions, snapshots, and as the producer of what it derives.
    work
        Makes the subject's part; called once a shard's state is needed.
    beat_to
        Streams that heartbeats are passed on to.
    """

    def __init__(
        self, stream: Stream, *, name: str, work: Callable[[Settings], Work], beat_to: Iterable[Stream] = ()
    ) -> None:
        self._stream = stream
        self._name = name
        self._work = work
        self._beat_to = tuple(beat_to)
        self._breakers = CircuitBreakers(time.monotonic)

    @property
    def circuits_open(self) -> int:
        """How many streams it derives for are left alone at present."""
        return len(self._breakers.open)

    def process(self, batch: Sequence[Delivery]) -> Processed:
        """Consume deliveries; return what became of the records.

        Raises
        ------
        VintnerError, botocore.exceptions.ClientError
            Infrastructure failed; the mapping delivers the batch again.
        """
        counts: Counter[str] = Counter()
        gauges: dict[str, float] = {}
        for _, some in itertools.groupby(batch, key=lambda delivery: delivery.shard):
            for derived in self._consumer.consume(list(some)):
                counts.update(derived.counts)
                counts["derived"] += sum(one.rows.num_rows for _, one in derived.batches)
                gauges |= derived.gauges
        waited = _now() - min(delivery.arrived_at for delivery in batch)
        return Processed(counts, gauges | {"lag": waited / timedelta(milliseconds=1)})

    def parts(self, settings: ProcessingSettings) -> ProcessorParts:
        """Return what it is made of in a deployment."""
        kinesis = boto3.client("kinesis")
        stream = settings.stream(self._stream.resource_name)
        shards = KinesisShards(stream, client=kinesis)
        return ProcessorParts(
            name=self._name,
            stream=self._stream,
            stream_name=stream,
            pipeline=lambda: LanePipeline(
                self._stream, self._work(settings), name=self._name, beat_to=self._beat_to, life=shards.life
            ),
            claims=DynamoClaims(settings.positions_table, consumer=self._name, stream=stream, life=shards.life),
            snapshots=S3Snapshots(settings.state_bucket, f"snapshots/{self._name}/{stream}/{shards.life}"),
            shards=shards,
            send=DerivedSender(settings, self._name, KinesisPut(kinesis), breakers=self._breakers),
        )

    @cached_property
    def _consumer(self) -> StatefulConsumer:
        made = self.parts(ProcessingSettings.from_environment())
        return StatefulConsumer(
            made.pipeline,
            claims=made.claims,
            snapshots=made.snapshots,
            shards=made.shards,
            send=made.send,
            clock=_now,
        )


Handler = Callable[[dict[str, Any], LambdaContext], dict[str, list[Any]]]


def processor_handler(processor: Processor) -> Handler:
    """Return the Lambda handler of a processor, with its logs, traces and metrics.

    What cannot be read is counted here and kept by the stream's lander, so none is ever given back to the mapping; a
    failure of the platform raises, and the whole batch is delivered again.
    """
    logger, tracer, metrics = Logger(), Tracer(), Metrics()

    def tell(done: Processed) -> None:
        for name, count in done.counts.items():
            metrics.add_metric(name=_camel(name), unit=MetricUnit.Count, value=count)
        for name, value in done.gauges.items():
            metrics.add_metric(name=f"{_camel(name)}Milliseconds", unit=MetricUnit.Milliseconds, value=value)
        logger.info("processed", extra={"counts": dict(done.counts), "gauges": dict(done.gauges)})

    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, list[Any]]:
        try:
            for done in in_parts(event, context, processor.process):
                tell(done)
        finally:
            metrics.add_metric(name="CircuitsOpen", unit=MetricUnit.Count, value=processor.circuits_open)
        return {"batchItemFailures": []}

    traced: Handler = tracer.capture_lambda_handler(metrics.log_metrics(handle))
    logged: Handler = logger.inject_lambda_context(traced)
    return logged


def _camel(name: str) -> str:
    return name.title().replace(" ", "")


def _now() -> datetime:
    return datetime.now(UTC)
