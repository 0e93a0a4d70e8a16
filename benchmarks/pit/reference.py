"""The right answers, slowly: a day's clerk who reads every row in the order it became known.

1. Per entity, lay the rows the system cut allows in the order of (knowledge_time, revision_seq), and the questions in
   the order of their knowledge cut.
2. Walk: before each question, read every row known by its cut. A row replaces what is said about its fact; the
   sorted list of events that live grows with an upsert and shrinks with a tombstone.
3. Answer by looking into that list. Nothing later has been read yet, so nothing later can be in the answer.

Plain Python over lists, one entity after the other: no join, no window, no engine.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.pit.answers import conform
from benchmarks.pit.data import Data, key_text
from benchmarks.pit.queries import Kind, Query, Use
from vintner.bitemporal import EVENT_TIME, INGESTED_AT, INSTANT, KNOWLEDGE_TIME, OP, REVISION_SEQ

_NEVER: Final = 2**62


class Clerk:
    """What is believed about one entity, row by row."""

    def __init__(self) -> None:
        self.living: list[int] = []
        self.said: dict[int, int] = {}

    def read(self, row: int, event: int, *, dead: bool) -> None:
        """Take in the next row in the order of knowledge."""
        lives = event in self.said
        if dead and lives:
            del self.said[event]
            self.living.pop(bisect_left(self.living, event))
        if not dead:
            self.said[event] = row
            if not lives:
                insort(self.living, event)


Look = Callable[[Clerk, int], list[int]]
"""Takes a clerk and an event cut (microseconds); returns rows of the facts."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Who is asked about, and with which cuts: key text, event and knowledge cut in microseconds, one per question."""

    who: pa.Array
    event: pa.Array
    known: pa.Array


def reference(data: Data, query: Query) -> pa.Table:
    """Return the right answer of a query, in its one form.

    Parameters
    ----------
    data
        A generated data set.
    query
        One of its queries.
    """
    shape = data.shape
    if query.kind is Kind.HISTORY:
        answer = _history(data, query)
    elif query.reads_spine:
        answer = _of_spine(data, query)
    else:
        answer = _of_entities(data, query)
    return conform(answer, query.schema(shape), query.keys(shape))


def _of_spine(data: Data, query: Query) -> pa.Table:
    spine = data.spine()
    answer = spine.select(["row"])
    who, time = key_text(spine, data.shape.key_names), _whole(spine["time"])
    for use in query.uses:
        known = pc.subtract(time, _microseconds(use))
        facts = data.facts(use.table)
        rows = _rows(facts, data.shape.key_names, query.system_at)
        found = _ask(rows, Questions(who, time, known), _look(query, use))
        for out, column in use.outputs.items():
            answer = answer.append_column(out, _values(facts[column].combine_chunks(), found, query))
    return answer


def newest_known(spine: pa.Table, facts: pa.Table, column: str, keys: tuple[str, ...]) -> pa.Array:
    """Return, for each row of any spine, what a column of the newest fact of its entity said, as known at its time.

    Parameters
    ----------
    spine
        The keys, and ``time`` (timestamp[us, UTC]).
    facts
        A fact table with these keys.
    """
    time = _whole(spine["time"])
    found = _ask(_rows(facts, keys, None), Questions(key_text(spine, keys), time, time), _newest(_NEVER))
    return facts[column].combine_chunks().take(pa.array([rows[0] if rows else None for rows in found], pa.int64()))


def _of_entities(data: Data, query: Query) -> pa.Table:
    (use,) = query.uses
    facts = data.facts(use.table)
    who = key_text(facts, data.shape.key_names).unique()
    cuts = (pa.repeat(pa.scalar(_moment(cut), pa.int64()), len(who)) for cut in (query.at, query.known_at))
    rows = _rows(facts, data.shape.key_names, query.system_at)
    found = _ask(rows, Questions(who, *cuts), _look(query, use))
    return facts.take(pa.array([row for rows in found for row in rows], pa.int64()))


def _history(data: Data, query: Query) -> pa.Table:
    (use,) = query.uses
    facts = data.facts(use.table)
    entity = "\x1f".join(map(str, data.entity(query.entity)))
    rows = facts.filter(pc.equal(key_text(facts, data.shape.key_names), entity)).sort_by(INGESTED_AT)
    first: dict[tuple[Any, ...], int] = {}
    clocks = (rows[name].cast(pa.int64()).to_pylist() for name in (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ))
    for number, version in enumerate(zip(*clocks, strict=True)):
        first.setdefault(version, number)
    return rows.take(pa.array(list(first.values()), pa.int64()))


def _look(query: Query, use: Use) -> Look:
    def trailing(clerk: Clerk, cut: int) -> list[int]:
        at = bisect_right(clerk.living, cut)
        return [clerk.said[event] for event in clerk.living[max(0, at - (query.last)) : at]]

    def coming(clerk: Clerk, cut: int) -> list[int]:
        at = bisect_right(clerk.living, cut)
        return [clerk.said[event] for event in clerk.living[at : at + 1]]

    def everything(clerk: Clerk, _: int) -> list[int]:
        return [clerk.said[event] for event in clerk.living]

    looks: dict[Kind, Look] = {Kind.TRAILING: trailing, Kind.NEXT: coming, Kind.VINTAGE: everything}
    oldest = _NEVER if use.ttl is None else int(use.ttl.total_seconds() * 1_000_000)
    return looks.get(query.kind, _newest(oldest))


def _newest(oldest: int) -> Look:
    def newest(clerk: Clerk, cut: int) -> list[int]:
        at = bisect_right(clerk.living, cut)
        return [clerk.said[clerk.living[at - 1]]] if at and cut - clerk.living[at - 1] <= oldest else []

    return newest


def _ask(facts: pa.Table, questions: Questions, look: Look) -> Sequence[list[int]]:
    """Return, per question, the numbers of the rows that answer it."""
    found: list[list[int]] = [[]] * len(questions.who)
    who = questions.who.unique()
    rows = _by_entity(facts, who, ("known", "seq"))
    asked = pa.table({"who": questions.who, "event": questions.event, "known": questions.known})
    asked = _by_entity(asked.append_column("number", pa.arange(0, asked.num_rows)), who, ("known",))
    for told, of_entity in zip(_groups(rows, len(who)), _groups(asked, len(who)), strict=True):
        clerk, at = Clerk(), 0
        known, event, dead, number = (told[name].to_pylist() for name in ("known", "event", "dead", "number"))
        cuts = (of_entity[name].to_pylist() for name in ("known", "event", "number"))
        for known_cut, event_cut, question in zip(*cuts, strict=True):
            while at < len(known) and known[at] <= known_cut:
                clerk.read(number[at], event[at], dead=dead[at])
                at += 1
            found[question] = look(clerk, event_cut)
    return found


def _rows(facts: pa.Table, keys: tuple[str, ...], system_at: datetime | None) -> pa.Table:
    rows = pa.table(
        {
            "who": key_text(facts, keys),
            "event": _whole(facts[EVENT_TIME]),
            "known": _whole(facts[KNOWLEDGE_TIME]),
            "seq": facts[REVISION_SEQ],
            "dead": pc.equal(facts[OP], "delete"),
            "number": pa.arange(0, facts.num_rows),
        }
    )
    return rows if system_at is None else rows.filter(pc.less_equal(facts[INGESTED_AT], pa.scalar(system_at, INSTANT)))


def _by_entity(rows: pa.Table, who: pa.Array, then: Sequence[str]) -> pa.Table:
    rows = rows.append_column("at", pc.index_in(rows["who"], value_set=who))
    rows = rows.filter(pc.is_valid(rows["at"]))
    return rows.sort_by([(name, "ascending") for name in ("at", *then)]).combine_chunks()


def _groups(rows: pa.Table, count: int) -> Iterator[pa.Table]:
    """Yield the rows of each entity, which lie together; an empty table where it has none."""
    counted = pc.value_counts(rows["at"].combine_chunks())
    sizes = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
    start = 0
    for entity in range(count):
        size = sizes.get(entity, 0)
        yield rows.slice(start, size)
        start += size


def _values(column: pa.Array, found: Sequence[list[int]], query: Query) -> pa.Array:
    if query.kind is Kind.TRAILING:
        offsets = [0]
        for rows in found:
            offsets.append(offsets[-1] + len(rows))
        flat = pa.array([row for rows in found for row in rows], pa.int64())
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column.take(flat))
    return column.take(pa.array([rows[0] if rows else None for rows in found], pa.int64()))


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks().cast(pa.int64())


def _moment(value: datetime) -> int:
    moment: int = pa.scalar(value, INSTANT).cast(pa.int64()).as_py()
    return moment


def _microseconds(use: Use) -> Any:
    return pa.scalar(int(use.delay.total_seconds() * 1_000_000), pa.int64())
