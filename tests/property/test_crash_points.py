"""Between every two steps of whatever writes to the lake, a process ends; the next one completes it.

Each operation is walked through twice over: a first process is cut off at each of its steps in each way there is, and
a second, which takes over, at each of its own. A third runs to the end. What the lake says then must be what it says
after the operation ran undisturbed: nothing lost, nothing doubled, nothing half done. The points are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyiceberg.io.pyarrow import ArrowScan

from tests.support.faults import KINDS, Crash
from tests.support.memory import DATABASE, WAREHOUSE, Disk, MemoryFileIO, open_memory_catalog
from vintner.lake import CommitUnknownError, Ledger, Refusal, land_facts, land_refusals, migrate
from vintner.lake.handle import Lake
from vintner.lake.maintenance import compact, expire, remove_orphans
from vintner.lake.revisions import (
    abandon_draft,
    audit_draft,
    draft_rows,
    publish_draft,
    rebase_draft,
    record_missing,
    revision_records,
    roll_back,
    verify_chain,
)
from vintner.marketdata import MACRO_SERIES as SERIES

T0 = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)
LEAST = 2_000
"""Crash points this module is to exercise."""
MANY = 420
"""Of more pairs of points than this of one operation every other one is taken, of twice as many every third, …"""


def facts(*names: str, value: float = 1.0, known: int = 0) -> list[dict[str, Any]]:
    common = {"event_time": T0, "knowledge_time": T0 + timedelta(days=known), "revision_seq": 0, "op": "upsert"}
    return [
        {**common, "entity": name, "value": value, "source": "t", "record_id": f"s/0/{ord(name)}/0"} for name in names
    ]


class World:
    """A lake with a history: streamed rows, two revisions, small files, a draft, and orphans."""

    def __init__(self) -> None:
        self.lake = Lake(open_memory_catalog(), DATABASE, lambda: self.disk.clock(), wait=lambda _: None)
        migrate(self.lake.catalog, DATABASE, WAREHOUSE, [SERIES])
        self.stream("a", "b")
        self.publish("first", "c")
        self.publish("second", "d")
        self.stream("e")
        draft_rows(self.lake, SERIES, "waiting", facts("w", "x"))
        draft_rows(self.lake, SERIES, "given-up", facts("y"))
        abandon_draft(self.lake, SERIES, "given-up")
        self.audit = audit_draft(self.lake, SERIES, "waiting")
        self.begin = self.disk.copy()
        self.read: dict[str, Any] = {}

    @property
    def disk(self) -> Disk:
        return MemoryFileIO.disk

    def stream(self, *names: str) -> None:
        marks = {"s/0": max(map(ord, names))}
        land_facts(
            self.lake.loader(SERIES.name),
            SERIES,
            facts(*names),
            checkpoints=marks,
            clock=self.lake.clock,
            wait=self.lake.wait,
        )

    def publish(self, draft: str, *names: str) -> None:
        draft_rows(self.lake, SERIES, draft, facts(*names))
        self.finish(audit_draft(self.lake, SERIES, draft))

    def finish(self, audit: Any) -> None:
        publish_draft(self.lake, SERIES, audit, as_of=AS_OF, author="ann", reason="r")

    def says(self) -> dict[str, Any]:
        """Everything a reader or an operator can see, but for system times and numbers of snapshots."""
        table = self.lake.load(SERIES.name)
        scan = table.scan()
        tasks = list(scan.plan_files())
        found = ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter).to_table(tasks)
        held = {name: self.held(table, ref.snapshot_id) for name, ref in table.metadata.refs.items()}
        ledger = Ledger.of(table)
        return {
            "rows": Counter(zip(*(found[name].to_pylist() for name in ("entity", "value", "record_id")), strict=True)),
            "refs": sorted((name.split("-2")[0] if name.startswith("until") else name, n) for name, n in held.items()),
            "ledger": (ledger.checkpoints, ledger.counts),
            "files": len(tasks),
            "records": self.once("revisions", self.records),
            "refused": self.once("quarantine", self.refused),
        }

    def once(self, name: str, read: Callable[[], Any]) -> Any:
        """Read a table that is as it was in the beginning once and for all."""
        pointer = self.disk.pointers[f"{DATABASE}.{name}"]
        if pointer != self.begin[1][f"{DATABASE}.{name}"]:
            return read()
        if name not in self.read:
            self.read[name] = read()
        return self.read[name]

    def records(self) -> list[Any]:
        records = revision_records(self.lake)
        assert verify_chain(self.lake) == len(records)
        return sorted((one.tag, one.kind.value, one.source, one.rows) for one in records)

    def refused(self) -> list[str]:
        return sorted(self.lake.load("quarantine").scan().to_arrow()["quarantine_id"].to_pylist())

    @staticmethod
    def held(table: Any, snapshot_id: int) -> int:
        return int(table.metadata.snapshot_by_id(snapshot_id).summary.additional_properties["total-records"])


WORLD: list[World] = []


@pytest.fixture
def world() -> Iterator[World]:
    if not WORLD:
        WORLD.append(World())
    MemoryFileIO.disk.restore(WORLD[0].begin)
    yield WORLD[0]
    MemoryFileIO.disk.arm(None)


def refusals() -> list[Refusal]:
    told = {"field": "f", "rule": "r", "remedy": "m", "payload": "{}", "arrived_at": T0}
    return [Refusal(stream="s", shard="0", sequence=number, position=0, **told) for number in (1, 2)]  # type: ignore[arg-type]


def age(world: World) -> None:
    """What was written so far is older than the safe age, and main holds less than there is."""
    expire(world.lake, SERIES.name, keep_for=timedelta(0), keep_last=1)
    world.disk.now += timedelta(days=9)


def moved(world: World) -> None:
    world.stream("z", "w")


def unrecorded(world: World) -> None:
    """Whoever published died before the record."""
    world.disk.arm(4, "crash before")
    with suppress(Crash):
        world.finish(world.audit)
    world.disk.arm(None)
    assert len(revision_records(world.lake)) == 2


def sweep(world: World) -> None:
    remove_orphans(world.lake, SERIES.name, stored=world.disk.stored, remove=world.disk.remove)


def again(world: World) -> None:
    roll_back(world.lake, SERIES, as_of=AS_OF, revision_seq=0, author="b", reason="r")


def beside(world: World) -> None:
    """Another writer commits between the plan and the swap."""
    world.disk.before_swap = lambda: world.stream("m", "n")
    world.stream("n", "o", "a")
    world.disk.before_swap = None


Act = Callable[[World], Any]
OPERATIONS: dict[str, tuple[Act | None, Act, int]] = {
    "land": (None, lambda w: w.stream("n", "o", "a"), 120),
    "land beside another writer": (None, beside, 200),
    "land on an empty table": (
        lambda w: (
            w.lake.catalog.drop_table((DATABASE, SERIES.name)),
            migrate(w.lake.catalog, DATABASE, WAREHOUSE, [SERIES]),
        ),
        lambda w: w.stream("n", "o"),
        120,
    ),
    "refuse": (
        None,
        lambda w: land_refusals(
            w.lake.loader("quarantine"), refusals(), checkpoints={}, clock=w.lake.clock, wait=w.lake.wait
        ),
        120,
    ),
    "open a draft": (None, lambda w: draft_rows(w.lake, SERIES, "new", facts("p", "q")), 120),
    "add to a draft": (None, lambda w: draft_rows(w.lake, SERIES, "waiting", facts("w", "v")), 120),
    "rebase": (moved, lambda w: rebase_draft(w.lake, SERIES, "waiting"), 120),
    "abandon": (None, lambda w: abandon_draft(w.lake, SERIES, "waiting"), 24),
    "publish": (None, lambda w: w.finish(w.audit), 240),
    "publish what was left unrecorded": (unrecorded, lambda w: w.finish(w.audit), 120),
    "record what is missing": (unrecorded, lambda w: record_missing(w.lake, [SERIES]), 120),
    "roll back": (None, again, 240),
    "roll back from a later stream": (moved, again, 240),
    "compact": (None, lambda w: list(compact(w.lake, SERIES.name, sort=SERIES.sort_names, few=2)), 100),
    "expire": (None, lambda w: expire(w.lake, SERIES.name, keep_for=timedelta(0), keep_last=1), 10),
    "remove orphans": (age, sweep, 80),
}
"""By name: what happens before, the operation, and how many points of it are exercised at least."""


Point = tuple[int, str]


def points(world: World, act: Act) -> list[Point]:
    """Do it undisturbed; return every way in which it could have been cut off."""
    world.disk.arm(None)
    act(world)
    # Only a swap has an answer to lose.
    swaps = world.disk.swaps
    return [(step, kind) for step in range(1, world.disk.steps + 1) for kind in (KINDS if step in swaps else KINDS[:2])]


def cut_off(world: World, act: Act, point: Point) -> bool:
    """Do it, cut off at a point; return whether that was reached."""
    world.disk.arm(*point)
    with suppress(Crash, CommitUnknownError):
        act(world)
    reached = world.disk.steps >= point[0]
    world.disk.arm(None)
    return reached


@pytest.mark.parametrize("name", OPERATIONS)
def test_cut_off_at_every_step_and_again_by_whoever_takes_over(world: World, name: str) -> None:
    before, act, least = OPERATIONS[name]
    if before is not None:
        before(world)
    start, exercised = world.disk.copy(), 0
    first_points, expected = points(world, act), world.says()
    for first in first_points:
        world.disk.restore(start)
        exercised += cut_off(world, act, first)
        left = world.disk.copy()
        second_points = points(world, act)
        assert world.says() == expected, f"cut off at {first}"
        for second in second_points[:: len(first_points) * len(second_points) // MANY + 1]:
            world.disk.restore(left)
            exercised += cut_off(world, act, second)
            act(world)
            assert world.says() == expected, f"cut off at {first}, then at {second}"
    assert exercised >= least


def test_the_points_are_as_many_as_promised() -> None:
    assert sum(least for _, _, least in OPERATIONS.values()) >= LEAST
