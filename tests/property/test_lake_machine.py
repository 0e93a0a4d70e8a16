"""The lake against a model made of dictionaries: whatever is done to it, in whatever order, and cut off wherever.

After each step main is what the model says; every revision reproduces its bytes, every settled system cut reads the
same rows, and a reader that began earlier still finds its files, until the safe age has passed since it began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.faults import KINDS, Crash
from tests.support.memory import DATABASE, WAREHOUSE, open_memory_catalog
from vintner.lake import Column, CommitUnknownError, Dataset, LakeReader, Ledger, land_facts, migrate
from vintner.lake.errors import DraftConflictError, MainMovedError
from vintner.lake.handle import Lake
from vintner.lake.maintenance import compact, expire, remove_orphans
from vintner.lake.revisions import (
    abandon_draft,
    audit_draft,
    draft_rows,
    publish_draft,
    rebase_draft,
    record_missing,
    reproduce,
    revision_records,
    roll_back,
    verify_chain,
)
from vintner.marketdata import MACRO_SERIES

T0 = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = [datetime(2025, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
SAFE_AGE = timedelta(days=3)
Key = tuple[str, int, int]
Rows = dict[Key, float]
Read = list[tuple[Any, ...]]

keys = st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 2))
batches = st.dictionaries(keys, st.sampled_from([1.0, 2.0]), min_size=1, max_size=4)
drafts = st.sampled_from(["one", "two"])
faults = st.none() | st.tuples(st.integers(1, 12), st.sampled_from(KINDS))


def fact(key: Key, value: float) -> dict[str, Any]:
    entity, event, known = key
    clocks = {"event_time": T0 + timedelta(days=event), "knowledge_time": T0 + timedelta(days=known)}
    common = {"revision_seq": 0, "op": "upsert", "source": "t", "record_id": "s/0/1/0"}
    return {"entity": entity, **clocks, **common, "value": value}


def rows_of(table: pa.Table) -> Read:
    """The rows of a table, with the system time they were committed at."""
    names = ("entity", "event_time", "knowledge_time", "value", "ingested_at")
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True))


def stated(rows: Read) -> Rows:
    return {(entity, (event - T0).days, (known - T0).days): value for entity, event, known, value, _ in rows}


class LakeMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.catalog = open_memory_catalog()
        self.disk = self.catalog.disk
        self.dataset: Dataset = MACRO_SERIES
        self.lake = Lake(self.catalog, DATABASE, self.disk.clock, wait=lambda _: None)
        migrate(self.catalog, DATABASE, WAREHOUSE, [self.dataset])
        self.reader = LakeReader(self.catalog, DATABASE)
        self.main: Rows = {}
        self.drafts: dict[str, tuple[Rows, bool]] = {}
        self.names = 0
        self.alias: dict[str, str] = {}
        self.revisions: dict[tuple[datetime, int], tuple[pa.Table, Rows]] = {}
        self.cuts: dict[datetime, Read] = {}
        self.readers: list[tuple[datetime, Any, Read]] = []
        self.turn = 0

    def surely(self, what: Callable[[], Any], fault: tuple[int, str] | None) -> Any:
        """Do something, by a process that may be cut off, and by a second one if it was."""
        if fault is not None:
            self.disk.arm(*fault)
            try:
                return what()
            except (Crash, CommitUnknownError):
                pass
            finally:
                self.disk.arm(None)
        return what()

    def main_moved(self) -> None:
        self.drafts = {name: (rows, True) for name, (rows, _) in self.drafts.items()}

    @rule(batch=batches, fault=faults)
    def land(self, batch: Rows, fault: tuple[int, str] | None) -> None:
        rows = [fact(key, value) for key, value in batch.items()]
        load = self.lake.loader(self.dataset.name)
        self.surely(
            lambda: land_facts(load, self.dataset, rows, checkpoints={}, clock=self.lake.clock, wait=self.lake.wait),
            fault,
        )
        if not batch.keys() <= self.main.keys():
            self.main_moved()
        self.main = batch | self.main

    @rule(name=drafts, batch=batches, fault=faults)
    def draft(self, name: str, batch: Rows, fault: tuple[int, str] | None) -> None:
        there, moved = self.drafts.get(name, ({}, False))
        if name not in self.drafts:
            self.names += 1
            self.alias[name] = f"{name}-{self.names}"
            self.base = dict(self.main)
        base = self.bases().get(name, self.main)
        rows = [fact(key, value) for key, value in batch.items()]
        contradicts = any({**base, **there}.get(key, value) != value for key, value in batch.items())
        try:
            self.surely(lambda: draft_rows(self.lake, self.dataset, self.alias[name], rows), fault)
        except DraftConflictError:
            assert contradicts
            return
        assert not contradicts
        self.drafts[name] = ({**there, **{k: v for k, v in batch.items() if k not in base}}, moved)
        self.bases().setdefault(name, dict(self.main))

    def bases(self) -> dict[str, Rows]:
        """What main held when each draft was begun."""
        if not hasattr(self, "_bases"):
            self._bases: dict[str, Rows] = {}
        return self._bases

    def drop(self, name: str) -> None:
        del self.drafts[name]
        self.bases().pop(name, None)

    @precondition(lambda self: self.drafts)
    @rule(data=st.data(), fault=faults)
    def abandon(self, data: st.DataObject, fault: tuple[int, str] | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.drafts)))
        self.surely(lambda: abandon_draft(self.lake, self.dataset, self.alias[name]), fault)
        self.drop(name)

    @precondition(lambda self: self.drafts)
    @rule(data=st.data(), fault=faults)
    def rebase(self, data: st.DataObject, fault: tuple[int, str] | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.drafts)))
        rows, moved = self.drafts[name]
        contradicts = moved and any(self.main.get(key, value) != value for key, value in rows.items())
        try:
            self.surely(lambda: rebase_draft(self.lake, self.dataset, self.alias[name]), fault)
        except DraftConflictError:
            assert contradicts
            return
        assert not contradicts
        if moved:
            self.drafts[name] = ({key: value for key, value in rows.items() if key not in self.main}, False)
            self.bases()[name] = dict(self.main)

    @precondition(lambda self: self.drafts)
    @rule(data=st.data(), as_of=st.sampled_from(AS_OF), fault=faults)
    def publish(self, data: st.DataObject, as_of: datetime, fault: tuple[int, str] | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.drafts)))
        rows, moved = self.drafts[name]
        audit = audit_draft(self.lake, self.dataset, self.alias[name])
        assert (audit.passed, audit.rows, audit.moved) == (True, len(rows), moved)
        try:
            revision = self.surely(
                lambda: publish_draft(self.lake, self.dataset, audit, as_of=as_of, author="a", reason="r"), fault
            )
        except MainMovedError:
            assert moved
            return
        assert not moved
        self.drop(name)
        self.main = {**self.main, **rows}
        self.main_moved()
        self.note_revision(as_of, revision.revision_seq)

    def note_revision(self, as_of: datetime, sequence: int) -> None:
        known = {key: value for key, value in self.main.items() if T0 + timedelta(days=key[2]) <= as_of}
        content = reproduce(self.lake, self.dataset, as_of=as_of, revision_seq=sequence)
        assert stated(rows_of(content)) == known
        assert (as_of, sequence) not in self.revisions
        self.revisions[as_of, sequence] = content, dict(self.main)

    @precondition(lambda self: self.revisions)
    @rule(data=st.data(), fault=faults)
    def go_back(self, data: st.DataObject, fault: tuple[int, str] | None) -> None:
        as_of, sequence = data.draw(st.sampled_from(sorted(self.revisions)))
        revision = self.surely(
            lambda: roll_back(self.lake, self.dataset, as_of=as_of, revision_seq=sequence, author="b", reason="back"),
            fault,
        )
        self.main = dict(self.revisions[as_of, sequence][1])
        if (as_of, revision.revision_seq) not in self.revisions:
            self.main_moved()
            self.note_revision(as_of, revision.revision_seq)

    @rule(fault=faults)
    def compaction(self, fault: tuple[int, str] | None) -> None:
        done = self.surely(
            lambda: list(compact(self.lake, self.dataset.name, sort=self.dataset.sort_names, few=2)), fault
        )
        if done or fault is not None:
            self.drafts = {name: (rows, self.has_moved(name)) for name, (rows, _) in self.drafts.items()}

    def has_moved(self, name: str) -> bool:
        return audit_draft(self.lake, self.dataset, self.alias[name]).moved

    @rule(keep_last=st.integers(1, 2), fault=faults)
    def expiry(self, keep_last: int, fault: tuple[int, str] | None) -> None:
        pinned = {one.snapshot_id for one in revision_records(self.lake) if one.snapshot_id is not None}
        self.surely(
            lambda: expire(self.lake, self.dataset.name, pinned=pinned, keep_for=timedelta(0), keep_last=keep_last),
            fault,
        )

    @rule(days=st.integers(0, 4), fault=faults)
    def orphans(self, days: int, fault: tuple[int, str] | None) -> None:
        self.disk.now += timedelta(days=days)
        self.surely(
            lambda: remove_orphans(
                self.lake, self.dataset.name, stored=self.disk.stored, remove=self.disk.remove, safe_age=SAFE_AGE
            ),
            fault,
        )

    @rule()
    def begin_reading(self) -> None:
        table = self.catalog.load_table((DATABASE, self.dataset.name))
        self.readers.append((self.disk.now, table, rows_of(table.scan().to_arrow())))

    @precondition(lambda self: len(self.dataset.columns) < 3)
    @rule()
    def widen(self) -> None:
        column = Column(name=f"more{len(self.dataset.columns)}", type=pa.string(), doc="More.")
        self.dataset = replace(self.dataset, columns=(*self.dataset.columns, column))
        migrate(self.catalog, DATABASE, WAREHOUSE, [self.dataset])

    @invariant()
    def main_is_what_the_model_says(self) -> None:
        if not hasattr(self, "reader"):
            return
        rows = rows_of(self.reader.read(self.dataset))
        assert stated(rows) == self.main
        assert len(rows) == len(self.main), "a version was doubled"
        mark = self.reader.settled_to(self.dataset)
        if mark is not None:
            assert self.cuts.setdefault(mark, rows) == rows, "rows appeared at or below the mark"
        self.turn += 1
        self.check_pins(every=4)

    def check_pins(self, every: int = 1) -> None:
        for number, (cut, rows) in enumerate(self.cuts.items()):
            if (number + self.turn) % every == 0:
                assert rows_of(self.reader.read(self.dataset, ingested_to=cut)) == rows, "a system cut changed"
        for number, ((as_of, sequence), (content, _)) in enumerate(self.revisions.items()):
            if (number + self.turn) % every == 0:
                assert reproduce(self.lake, self.dataset, as_of=as_of, revision_seq=sequence).equals(content)
        self.readers = [one for one in self.readers if one[0] > self.disk.now - SAFE_AGE]
        for _, table, rows in self.readers:
            assert rows_of(table.scan().to_arrow()) == rows, "a running reader lost its files"

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        self.check_pins()
        record_missing(self.lake, [self.dataset])
        assert verify_chain(self.lake) == len(self.revisions)
        ledger = Ledger.of(self.lake.load(self.dataset.name))
        assert ledger.counts.get("kept", 0) - ledger.counts.get("withdrawn", 0) == len(self.main)


TestLakeMachine = LakeMachine.TestCase
TestLakeMachine.settings = settings(
    max_examples=25, stateful_step_count=16, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
