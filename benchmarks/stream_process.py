"""A processor as it runs, for measuring: its real handler over adapters that reach no network.

What an account keeps in DynamoDB (claims) is kept in memory, what it keeps in S3 (snapshots) in files on local disk,
written and read by the adapter of S3 itself; what is sent is packed as ever, then counted and let go.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from unittest import mock

from benchmarks.stream_material import ENVIRONMENT, START, Event, instant
from vintner.aws.processing import DerivedSender, Handler, ProcessingSettings, Processor, processor_handler
from vintner.aws.snapshots import S3Snapshots
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.normalise import Context
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.kinesis import Delivery
from vintner.messaging.stateful import Claim, ClaimConflictError, LanePipeline, StatefulConsumer, Work
from vintner.messaging.streams import FEATURES_RAW, LANES, TRADES, Stream

_LAMBDA: Final = {
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_METRICS_NAMESPACE": "bench",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}
"""What the templates tell a function, but for tracing, which needs a daemon."""


class Bucket:
    """The calls of an S3 client that snapshots make, on a folder of local disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[int] = []

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as boto3 names them
        """Write a file."""
        path = self.folder / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)
        self.written.append(len(Body))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """Open a file."""
        return {"Body": io.BytesIO((self.folder / Bucket / Key).read_bytes())}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        """Remove a file."""
        (self.folder / Bucket / Key).unlink(missing_ok=True)


@dataclass
class Held:
    """What outlives a process: claims in memory, snapshots on disk."""

    bucket: Bucket
    claims: dict[str, Claim] = field(default_factory=dict)
    puts: int = 0

    @classmethod
    def below(cls, folder: Path) -> Held:
        """Return nothing yet."""
        return cls(Bucket(folder))

    def copy(self, folder: Path) -> Held:
        """Return the same once more, its files in another folder."""
        shutil.copytree(self.bucket.folder, folder)
        return Held(Bucket(folder), dict(self.claims))

    def snapshots(self) -> S3Snapshots:
        """Return the snapshots as a consumer sees them."""
        return S3Snapshots("state", "snapshots", client=self.bucket)

    def held(self, shard: str) -> Claim:
        """Return the claim on a shard."""
        return self.claims.get(shard, Claim())

    def put(self, shard: str, claim: Claim) -> None:
        """Write a claim."""
        if self.held(shard).version != claim.version - 1:
            raise ClaimConflictError(shard=shard, version=self.held(shard).version)
        self.claims[shard] = claim
        self.puts += 1


class NothingElse:
    """Shards that hold nothing but what the mapping delivers: no measured process has to read again."""

    def read(self, _shard: str, *, after: int | None, before: int | None) -> Iterator[Delivery]:  # noqa: ARG002
        """Yield nothing."""
        return iter(())

    def parents(self, _shard: str) -> tuple[str, ...]:
        """Return none."""
        return ()

    def lanes(self, _shard: str) -> range:
        """Return all."""
        return range(LANES)


class Outlet:
    """Where derived deliveries go: counted by stream, and kept if someone wants them."""

    def __init__(self, keep: Callable[[str, Entry], None] | None = None) -> None:
        self.deliveries: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self._keep = keep

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Accept all."""
        for entry in entries:
            self.deliveries[stream] += 1
            self.bytes[stream] += len(entry.data)
            self.records[stream] += entry.records
            if self._keep:
                self._keep(stream, entry)
        return [None] * len(entries)


def trades_pipeline() -> LanePipeline:
    """Return the pipeline of trades as its processor makes it, no symbol mapped: the venue names its instruments."""
    return LanePipeline(TRADES, trades_work(), name="trades_processor", beat_to=[FEATURES_RAW])


def trades_work() -> TradesWork:
    """Return the subject's part of it."""
    return TradesWork(FixedContexts(judged_by()), load_sessions())


def judged_by() -> Context:
    """Return what trades are judged by: the declared venues, no symbol."""
    return Context(Symbology.empty(), VENUES, load_sessions())


@dataclass(frozen=True)
class Invocation:
    """What the handler is told of its call: more memory than it has in an account, as what it is fed is held beside."""

    function_name: str = "bench"
    function_version: str = "1"
    memory_limit_in_mb: int = 10_240
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole of a processor's time."""
        return 60_000


class _Processor(Processor):
    """A processor over what is held here instead of in an account."""

    held: Held
    outlet: Outlet
    limits: dict[str, Any]
    now = START

    @cached_property
    def _consumer(self) -> StatefulConsumer:
        settings: Any = ProcessingSettings.model_construct(environment=ENVIRONMENT)
        return StatefulConsumer(
            lambda: LanePipeline(self._stream, self._work(settings), name=self._name, beat_to=self._beat_to),
            claims=self.held,
            snapshots=self.held.snapshots(),
            shards=NothingElse(),
            send=DerivedSender(settings, self._name, self.outlet),
            clock=lambda: instant(self.now),
            **self.limits,
        )


class Process:
    """One warm process of a processor: its real handler, called with events.

    Parameters
    ----------
    held
        Claims and snapshots.
    outlet
        Where it sends.
    stream, name, work, beat_to
        Which processor; that of trades unless told.
    limits
        When snapshots are due, as :class:`~vintner.messaging.stateful.StatefulConsumer` takes it.
    """

    def __init__(
        self,
        held: Held,
        outlet: Outlet | None = None,
        *,
        stream: Stream = TRADES,
        name: str = "trades_processor",
        work: Callable[[], Work] = trades_work,
        beat_to: Sequence[Stream] = (FEATURES_RAW,),
        **limits: Any,
    ) -> None:
        self._processor = _Processor(stream, name=name, work=lambda _: work(), beat_to=beat_to)
        self.outlet = outlet or Outlet()
        self._processor.held, self._processor.outlet, self._processor.limits = held, self.outlet, limits
        self._handle: Handler = processor_handler(self._processor)

    def call(self, event: Event) -> None:
        """Call the handler as the runtime does: the event read from its JSON, the answer written as JSON."""
        self._processor.now = event.at
        context: Any = Invocation()
        json.dumps(self._handle(event.as_given(), context))


class _Nowhere(io.TextIOBase):
    """Takes what is printed. It is never closed: loggers remember where they write for as long as a process lives."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE: Final = _Nowhere()


@contextmanager
def as_in_lambda() -> Iterator[None]:
    """Let handlers be made and called as in Lambda; their logs and metrics are written in full, to nowhere."""
    with mock.patch.dict(os.environ, _LAMBDA), redirect_stdout(_NOWHERE):
        yield
