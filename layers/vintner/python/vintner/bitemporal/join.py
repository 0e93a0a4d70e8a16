"""The as-of join: for each row of a spine, the newest fact of its entity as known at its time.

1. Check the spine (its times, its key columns, its cuts) and the sources (their columns, ttl, delay).
2. Each row has two cuts, and may have a third: E = time; K = its knowledge cut, by default its time, less the delay
   of the source; S = its system cut.
3. Index each source (:mod:`vintner.bitemporal.versions`): its versions that some row may see, sorted.
4. Walk (:mod:`vintner.bitemporal.kernel`): per row from the newest event by E back to the first that exists as known
   at K, by S. Older than the ttl, it is no answer.
5. Fetch the values by row number, in the order of the spine: a null inside a fact is an answer, and stays null.

The spine is encoded once for all sources and worked on in stretches, one per core. No value passes through anything
but Arrow, so values come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from vintner.bitemporal.clock import LATEST, before_us, span_us
from vintner.bitemporal.kernel import Asking
from vintner.bitemporal.source import FactSource, check_outputs
from vintner.bitemporal.spine import Cut, Spine, side_by_side, spine_of
from vintner.bitemporal.tabular import Tabular, fetch, flat, reason_text, table_of
from vintner.bitemporal.versions import Versions, versions_of


def as_of_join(
    spine: Tabular, sources: Sequence[FactSource], *, known_at: Cut = None, system_at: Cut = None
) -> pa.Table:
    """Append to each row of ``spine`` the values that were known at its time.

    Parameters
    ----------
    spine
        Column ``time`` (timestamp[us, UTC], no nulls), and the key columns the sources name (a null names no
        entity). Other columns are kept. Rows may repeat and be in any order; in order of time is fastest.
    sources
        The fact tables, each with its own columns, ttl and delay.
    known_at
        Knowledge cut, inclusive: one for every row (zoned), or the name of the spine's column that has each row's
        (a null: the row's time). Each row's own time if not given.
    system_at
        System cut: only facts written by then. One for every row, or the name of the spine's column that has each
        row's (a null: all facts). All facts if not given.

    Returns
    -------
    pa.Table
        The spine, rows and order as given, and one column per output name with the type it has in its facts.

    Raises
    ------
    SpineTableError, FactSourceError, FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vintner.bitemporal import FactSource, as_of_join, fact_schema
    >>> q1, may, june = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (5, 2), (6, 1)))
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table([["ACME"], [q1], [may], [0], ["upsert"], [may], [2.0]], schema=schema)
    >>> spine = pa.table({"entity": ["ACME", "ACME", "ACME"], "time": [june, q1, may]})
    >>> as_of_join(spine, [FactSource(facts=facts, columns={"eps": "eps"})])["eps"].to_pylist()
    [2.0, None, 2.0]
    """
    joined = table_of(spine)
    check_outputs(joined, sources)
    names = (name for source in sources for name in source.spine_names)
    asked = spine_of(joined, names, known_at=known_at, system_at=system_at)
    ready = prepare(asked, [source.in_memory() for source in sources])
    stretches = asked.stretches(pa.cpu_count())
    answers = side_by_side(partial(_answer, ready), stretches, rows=asked.rows)
    for number, field in enumerate(field for source in sources for field in source.fields):
        joined = joined.append_column(field, pa.chunked_array([columns[number] for columns in answers], field.type))
    return joined


@dataclass(frozen=True, slots=True)
class Ready:
    """A source with its index, and its value columns each in one piece."""

    source: FactSource
    versions: Versions
    values: list[Any]

    def asking(self, spine: Spine) -> Asking:
        """Return what a stretch of the spine asks of this source."""
        source = self.source
        code, key_of = spine.spelling.codes(source.spine_names, self.versions.entities)
        return Asking(
            code=code,
            key_of=key_of,
            time=spine.time,
            known=spine.known,
            system=None if isinstance(spine.system, int) else spine.system,
            delay=span_us(source.delay, field="delay"),
            ttl=LATEST if source.ttl is None else span_us(source.ttl, field="ttl"),
        )


def prepare(spine: Spine, sources: Sequence[FactSource]) -> list[Ready]:
    """Index what the spine may see of each source, side by side."""
    rows = max((source.table.num_rows for source in sources), default=0)
    return side_by_side(partial(_prepared, spine.newest_known, spine), sources, rows=rows)


def _prepared(newest: int, spine: Spine, source: FactSource) -> Ready:
    versions = versions_of(
        source.table,
        keys=source.keys,
        known_to=before_us(newest, span_us(source.delay, field="delay")),
        system_to=spine.newest_system,
        in_order=False,
        per_row_system=not isinstance(spine.system, int),
    )
    return Ready(source, versions, [flat(source.table[column]) for column in source.columns.values()])


def _answer(ready: Sequence[Ready], spine: Spine) -> list[Any]:
    columns: list[Any] = []
    for one in ready:
        answers = one.versions.index.look_up(one.asking(spine), reasons=one.source.reason is not None)
        columns += [fetch(values, answers.rows) for values in one.values]
        if answers.reasons is not None:
            columns.append(reason_text(answers.reasons))
    return columns
