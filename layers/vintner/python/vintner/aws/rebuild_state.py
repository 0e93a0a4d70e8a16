"""The state of a processor from the lake, when neither its snapshot nor the stream has it any more.

What is done to the state is told in :mod:`vintner.messaging.stateful.rebuilding`. Around it:

1.  The records of a span are read as the lake knew them, up to a checkpoint of the stream's dataset, in their original
    order; the lane of each is that of its venue and symbol, as the publisher worked it out.
2.  What the rebuilt state says and the lake does not (:mod:`vintner.marketdata.mending.untold`) is sent, as known when
    the rebuilding was: it came while the state was away, or was lost with it. A version that was told before is never
    told otherwise, for nothing that was told before is known as late as this.
3.  Late parts of bars must not be on their way meanwhile: they would be merged into what holds them already.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.aws.processing import ListedShards, ProcessorParts
from vintner.aws.replay import rows_of
from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME
from vintner.datasets import dataset_of
from vintner.lake.errors import TableMissingError
from vintner.lake.handle import Lake
from vintner.lake.ledger import Ledger
from vintner.lake.lookup import fact_versions
from vintner.lake.model import RECORD_ID, SOURCE, Dataset
from vintner.lake.predicates import at_least, every
from vintner.lake.quarantine import ARRIVED_AT
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.reader import scan_rows
from vintner.marketdata.gaps import GAPS
from vintner.marketdata.gaps.lake import known_gaps
from vintner.marketdata.mending import Gathered, batches_of, known_at, last_told, unlanded_partials, untold
from vintner.messaging.replay import ReplayClock, Span, in_order
from vintner.messaging.replay.run import records_of
from vintner.messaging.stateful import Derived, Rebuilding, Worked, as_work, moving
from vintner.messaging.streams import BARS, FEATURES_RAW, L1, TRADES, Stream, lane_of, stream_named

SPANS: Final[Mapping[str, timedelta]] = {
    TRADES.name: timedelta(days=5),  # a daily bar may change for two days after it; rolling features outlast a weekend
    L1.name: timedelta(days=1),  # a quote stands until the next
    FEATURES_RAW.name: timedelta(hours=2),  # a value speaks for 15 minutes, a vector may change for 20
}
"""How far back anything that a live state depends on may have become known."""
AT_REST: Final = 3.0
"""Seconds in which the claims of a consumer that runs would move."""
_AHEAD: Final = timedelta(days=1)

Shown = Callable[[str, int, int | None], None]
"""Told what goes on, how many records are done, and of how many (None: not known)."""


class StateRebuilding:
    """Rebuilds the state of one processor.

    Parameters
    ----------
    parts
        The processor.
    lake
        The lake; its clock tells the present.
    shards_of
        The shards and the full name of another stream, for those it derives.
    since
        Start of the span that is read, on the clock of knowledge; by default :data:`SPANS`.
    shown
        Told how far it is.
    wait
        Waits so many seconds.
    """

    def __init__(
        self,
        parts: ProcessorParts,
        lake: Lake,
        *,
        shards_of: Callable[[Stream], tuple[ListedShards, str]],
        since: datetime | None = None,
        shown: Shown = lambda _what, _done, _of: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts, self._lake, self._shards_of = parts, lake, shards_of
        self._since = since or lake.clock() - SPANS[parts.stream.name]
        self._shown, self._wait = shown, wait
        self._gathered = Gathered()
        self._derives = [stream_named(name) for one in parts.stream.consumers for name in one.produces]

    def run(self) -> list[dict[str, Any]]:
        """Rebuild; return a row for each shard that was written, then one for what was told of each stream.

        Raises
        ------
        ConsumerRunningError, ClaimConflictError
            Somebody consumes.
        PartialsOnTheirWayError
            Late parts of bars are in the stream and not merged yet.
        """
        parts, lake = self._parts, self._lake
        landed, rows = self._landed()
        names = parts.shards.names()
        rebuilding = Rebuilding(
            parts.pipeline(), parts.stream, claims=parts.claims, snapshots=parts.snapshots, shards=parts.shards,
            landed=landed, names=names,
        )  # fmt: skip
        self._wait(AT_REST)
        self._check_at_rest(rebuilding)
        with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
            for table in self._taken_back(in_order(rows, Path(folder))):
                self._gather(rebuilding.take_back(table))
        for worked in rebuilding.take_unlanded():
            self._gather(worked)
        at = known_at(lake.clock(), self._gathered.latest)
        self._gather(rebuilding.beat(at))
        told = self._untold(at)
        self._check_at_rest(rebuilding)
        life = str(int(at.timestamp() * 1_000_000))
        counts = self._send(told, at, f"rebuild/{parts.name}.{life}")
        return [*(asdict(one) for one in rebuilding.write(life)), *counts]

    def _landed(self) -> tuple[dict[str, int], Iterator[pa.Table]]:
        """Return how far each shard is landed, and the rows of the span, both of one state of the lake."""
        prefix, dataset = f"{self._parts.stream_name}/", dataset_of(self._parts.stream.name)
        marks: list[Mapping[str, int]] = []
        with suppress(TableMissingError):  # the rest of a call is landed before what it refuses: this is read first
            marks.append(Ledger.of(self._lake.load(QUARANTINE), known=ARRIVED_AT).checkpoints)
        table = self._lake.load(dataset.name)
        snapshot = table.current_snapshot()
        marks.append(Ledger.at(table, snapshot).checkpoints)
        landed: dict[str, int] = {}
        for name, sequence in (one for told in marks for one in told.items() if one[0].startswith(prefix)):
            shard = name.removeprefix(prefix)
            landed[shard] = max(sequence, landed.get(shard, sequence))
        span = Span(ReplayClock.KNOWLEDGE, self._since, self._lake.clock() + _AHEAD)
        return landed, self._of_stream(rows_of(table, dataset, span, snapshot), prefix)

    def _of_stream(self, tables: Iterable[pa.Table], prefix: str) -> Iterator[pa.Table]:
        """Yield rows that came through the stream: of others no order is known."""
        done = 0
        for table in tables:
            own = table.filter(pc.starts_with(table[RECORD_ID], prefix))
            done += own.num_rows
            self._shown("reading", done, None)
            yield own
        self._total = done

    def _taken_back(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        stream, done = self._parts.stream, 0
        lanes = LanesOfInstruments(self._lake, self._since) if stream.key == ("instrument",) else None
        for rows in tables:
            records, producers, known = (
                records_of(rows, stream.record), rows[SOURCE].combine_chunks(), rows[KNOWLEDGE_TIME].combine_chunks(),
            )  # fmt: skip
            self._gathered.knows(pc.max(known).as_py())
            numbers = lanes_of(rows, stream) if lanes is None else lanes.of(rows)
            yield as_work(records, lanes=numbers, producers=producers, known=known)
            done += rows.num_rows
            self._shown("taking back", done, self._total)

    def _gather(self, worked: Worked) -> None:
        self._gathered.add(worked.rows, worked.facts)

    def _check_at_rest(self, rebuilding: Rebuilding) -> None:
        held = self._parts.claims.held
        moving(rebuilding.held, {name: held(name) for name in rebuilding.held}, consumer=self._parts.name)
        if BARS in self._derives:
            check_partials(self._lake, *self._shards_of(BARS))

    def _untold(self, at: datetime) -> dict[str, tuple[Stream, pa.Table]]:
        found = {}
        for stream in self._derives:
            derived = self._gathered.rows(stream)
            if derived is None:
                continue
            last = last_told(stream, derived, since=self._since, now=at)
            if last.num_rows:
                held = versions_since(self._lake, dataset_of(stream.name), pc.min(last[EVENT_TIME]).as_py())
                found[stream.name] = stream, untold(stream, last, held)
        return found

    def _send(self, told: Mapping[str, tuple[Stream, pa.Table]], at: datetime, producer: str) -> list[dict[str, Any]]:
        facts = self._unknown_gaps(at)
        batches = [
            one
            for stream, rows in told.values()
            if rows.num_rows
            for one in batches_of(stream, rows, "lane", producer=producer, at=at)
        ]
        self._parts.send(Derived(batches=batches, facts=facts))
        counts = {name: rows.num_rows for name, (_, rows) in told.items()} | {GAPS.name: len(facts)}
        return [{"told": name, "records": count, "known_at": at.isoformat()} for name, count in counts.items() if count]

    def _unknown_gaps(self, at: datetime) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the gaps that are open and that the lake knows nothing of, as known now."""
        stated = [fact for dataset, fact in self._gathered.facts.values() if dataset == GAPS.name]
        standing = [fact for fact in stated if fact["values"]["state"] == "open"]
        if not standing:
            return []
        known: dict[str, list[tuple[int, int]]] = {}
        for gap in known_gaps(self._lake, since=self._since - _AHEAD).values():
            known.setdefault(gap.instrument, []).append(gap.numbers)
        return [
            (GAPS.name, {**fact, KNOWLEDGE_TIME: at.isoformat()})
            for fact in standing
            if not _meets(fact["values"], known.get(fact["values"]["instrument"], ()))
        ]


class LanesOfInstruments:
    """In which lane an instrument's features travel: that of the venue and symbol they were derived from."""

    def __init__(self, lake: Lake, since: datetime) -> None:
        self._known: dict[str, int] = {}
        for stream in (L1, TRADES):
            dataset = dataset_of(stream.name)
            table = lake.load(dataset.name)
            wanted = ("instrument", *stream.key)
            found = table.scan(row_filter=at_least(KNOWLEDGE_TIME, since), selected_fields=wanted).to_arrow()
            for row in found.group_by(list(wanted), use_threads=False).aggregate([]).to_pylist():
                self._known[row["instrument"]] = lane_of(*(row[name] for name in stream.key))

    def of(self, rows: pa.Table) -> pa.Array:
        """Return the lane of each row (int32)."""
        named = rows["instrument"].combine_chunks().dictionary_encode()
        return pa.array([self._lane(one) for one in named.dictionary.to_pylist()], pa.int32()).take(named.indices)

    def _lane(self, instrument: str) -> int:
        if instrument in self._known:
            return self._known[instrument]
        symbol, at, venue = instrument.rpartition("@")
        return lane_of(venue, symbol) if at else lane_of(instrument)


def lanes_of(rows: pa.Table, stream: Stream) -> pa.Array:
    """Return the lane of each row by the key of its stream (int32)."""
    keys = pc.binary_join_element_wise(*(rows[name] for name in stream.key), "\x1f").combine_chunks()
    named = keys.dictionary_encode()
    lanes = [lane_of(*one.split("\x1f")) for one in named.dictionary.to_pylist()]
    return pa.array(lanes, pa.int32()).take(named.indices)


def versions_since(lake: Lake, dataset: Dataset, since: datetime) -> pa.Table:
    """Return every version the lake holds of facts about an instant or later ones."""
    table = lake.load(dataset.name)
    snapshot = table.current_snapshot()
    if snapshot is None:
        return dataset.schema.empty_table()
    return scan_rows(table, snapshot, dataset, every([at_least(EVENT_TIME, since)]))


def check_partials(lake: Lake, shards: ListedShards, name: str) -> None:
    """Look for late parts of bars that are in their stream and not in the lake.

    Raises
    ------
    PartialsOnTheirWayError
        There are some.
    """
    dataset = dataset_of(BARS.name)
    table = lake.load(dataset.name)
    marks = Ledger.of(table).checkpoints
    waiting = (
        delivery
        for shard in shards.names()
        for delivery in shards.read(shard, after=marks.get(f"{name}/{shard}"), before=None)
    )
    unlanded_partials(waiting, lambda rows: fact_versions(table, dataset, rows))


def _meets(values: Mapping[str, Any], known: Iterable[tuple[int, int]]) -> bool:
    first, last = values["first_missing"], values["last_missing"]
    return any(first <= end and start <= last for start, end in known)
