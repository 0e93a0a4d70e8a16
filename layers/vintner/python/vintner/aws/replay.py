"""Replay in an account: rows of the lake's tables, into a Kinesis stream or a Lambda function.

The lake is pinned at the snapshot a replay began with, so that a replay that goes on reads what it began to read.
How far it is stands in a file; it names what is replayed, and going on with something else is refused.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.model import OP, Operation
from vintner.datasets import dataset_of
from vintner.errors import VintnerError
from vintner.lake.conform import conform
from vintner.lake.handle import Lake
from vintner.lake.model import Dataset
from vintner.lake.pins import line_at
from vintner.lake.predicates import at_least, at_most, equal, every
from vintner.messaging.delivery_lanes import Entry, PutRecords
from vintner.messaging.replay import Pace, Progress, ReplayClock, ReplayMovedError, Span, in_order, replay
from vintner.messaging.streams import Stream

Told = Callable[[str, int, int | None], None]
"""Told what goes on, how many records are done, and of how many (None: not known yet)."""

_LARGEST_ANSWER: Final = 500


class ReplayFunctionError(VintnerError):
    """A function failed on an event of a replay. What it took before is kept in the progress."""

    template = "{function} failed on an event of the replay: {problem}; mend it, then give the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is replayed, and as which replay.

    Parameters
    ----------
    replay_id
        Name of the replay: a producer ``replay/<replay_id>`` sends it.
    snapshot
        Snapshot of the lake it reads; None where the table has none, or it has not begun.
    into
        Stream or function it goes into, by name.
    """

    replay_id: str
    stream: Stream
    span: Span
    into: str
    snapshot: int | None = None

    def __str__(self) -> str:
        """Return it as the progress file names it."""
        return f"{self.stream.name}, {self.span}, into {self.into}"


class ProgressFile:
    """Keeps how far a replay is, in a file that is replaced whole.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self, plan: Plan) -> tuple[int | None, Progress]:
        """Return the snapshot a replay began with and how far it came.

        Raises
        ------
        ReplayMovedError
            The file is of another replay.
        """
        if self._path is None or not self._path.exists():
            return plan.snapshot, Progress()
        held = json.loads(self._path.read_text(encoding="utf-8"))
        if (held["replay"], held["plan"]) != (plan.replay_id, str(plan)):
            began = f"{held['replay']} ({held['plan']})"
            raise ReplayMovedError(replay=held["replay"], began=began, asked=f"{plan.replay_id} ({plan})")
        sequences = {int(lane): number for lane, number in held["sequences"].items()}
        done = Progress(records=held["records"], deliveries=held["deliveries"], sequences=sequences)
        return held["snapshot"], done

    def write(self, plan: Plan, snapshot: int | None, done: Progress) -> None:
        """Keep how far a replay is."""
        if self._path is None:
            return
        held = {
            "replay": plan.replay_id,
            "plan": str(plan),
            "snapshot": snapshot,
            "records": done.records,
            "deliveries": done.deliveries,
            "sequences": {str(lane): number for lane, number in sorted(done.sequences.items())},
        }
        beside = self._path.with_name(f"{self._path.name}.new")
        beside.write_text(json.dumps(held), encoding="utf-8")
        beside.replace(self._path)


class LambdaInvoke:
    """Calls a deployed function with an event, and returns its answer.

    It needs ``lambda:InvokeFunction``.
    """

    def __init__(self, function: str, *, client: Any = None) -> None:
        self._function = function
        self._client = client or boto3.client("lambda")

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Call the function and wait for it.

        Raises
        ------
        ReplayFunctionError
            It failed, or could not be called.
        """
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=json.dumps(event).encode())
            body = answer["Payload"].read()
        except (ClientError, BotoCoreError) as cause:
            raise ReplayFunctionError(function=self._function, problem=str(cause)) from cause
        if answer.get("FunctionError"):
            told = body[:_LARGEST_ANSWER].decode(errors="replace")
            raise ReplayFunctionError(function=self._function, problem=told)
        found: Mapping[str, Any] | None = json.loads(body) if body else None
        return found


class NamedPut:
    """Puts entries into a stream of a given name, whatever the publisher calls it."""

    def __init__(self, put: PutRecords, name: str) -> None:
        self._put = put
        self._name = name

    def __call__(self, stream: str, entries: Sequence[Entry]) -> Sequence[str | None]:  # noqa: ARG002
        """Send the entries."""
        return self._put(self._name, entries)


def rows_of(table: Table, dataset: Dataset, span: Span, snapshot: Snapshot | None) -> Iterator[pa.Table]:
    """Yield the rows of a span, as a dataset declares them, file by file."""
    if snapshot is None:
        return
    if span.clock is ReplayClock.SYSTEM:
        snapshot = line_at(table, snapshot, span.last)
    standing = equal(OP, Operation.UPSERT.value)
    wanted = every([standing, at_least(span.column, span.start), at_most(span.column, span.last)])
    scan = table.scan(row_filter=wanted, snapshot_id=snapshot.snapshot_id)
    present = set(scan.projection().column_names)
    names = [name for name in dataset.schema.names if name in present]
    for batch in scan.select(*names).to_arrow_batch_reader():
        if batch.num_rows:
            yield conform(pa.Table.from_batches([batch]), dataset)


def replay_from_lake(
    lake: Lake,
    plan: Plan,
    *,
    put: Callable[[Progress], PutRecords],
    environment_name: str,
    speed: float | None,
    kept_in: Path | None = None,
    told: Told = lambda _what, _done, _total: None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Progress:
    """Replay a span of a stream from the lake, or go on with it; return how far it came: to the end.

    Parameters
    ----------
    put
        Makes the way out, given how far the replay is.
    speed
        Seconds of knowledge time that pass in one second; None is as fast as possible.
    kept_in
        File of the progress.

    Raises
    ------
    ReplayMovedError
        The file is of another replay.
    StreamUnavailableError, StreamRefusedError, ReplayFunctionError
        What it goes into kept refusing. Give the command again.
    """
    dataset, kept = dataset_of(plan.stream.name), ProgressFile(kept_in)
    table = lake.load(dataset.name)
    pinned, done = kept.read(plan)
    snapshot = table.current_snapshot() if pinned is None else table.snapshot_by_id(pinned)
    number = None if snapshot is None else snapshot.snapshot_id
    kept.write(plan, number, done)
    reading = _Reading(rows_of(table, dataset, plan.span, snapshot), told)

    def keep(progress: Progress) -> None:
        kept.write(plan, number, progress)
        told("replaying", progress.records, reading.total)

    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        return replay(
            in_order(reading, Path(folder)),
            plan.stream,
            put=put(done),
            replay_id=plan.replay_id,
            environment_name=environment_name,
            pace=Pace(speed, clock=clock, wait=wait),
            progress=done,
            kept=keep,
            wait=wait,
        )


class _Reading:
    """Rows on their way, counted."""

    def __init__(self, tables: Iterator[pa.Table], told: Told) -> None:
        self._tables = tables
        self._told = told
        self.total = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for rows in self._tables:
            self.total += rows.num_rows
            self._told("reading", self.total, None)
            yield rows
