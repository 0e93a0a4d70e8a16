"""Late trades merged into the bars they belong to, as the lake is written.

A *partial* holds only trades that came after their bar had left the engine's state. It becomes a version of the bar:

1.  Its base is the newest version of the bar known before it, in the lake or in the same call. The new version is base
    and partial merged (:mod:`vintner.marketdata.engine.merge`), known when the partial was. Without a base it is the
    partial.
2.  Versions of the bar that are known later are there already when a partial was held up on its way and is landed out
    of turn. Each gets a further revision, with the partial merged in: what was known by then includes it.
3.  A partial whose bar has a version known at its very instant was landed before: an instant has one version at most.
    The rows it made then are stated again, so that they are recognised, and served if they were not yet.

Partials of one bar are taken in the order they were sent, those of different bars together, a round at a time.

A full revision that is landed after a partial that was built upon what came before it is kept as it is, but is no part
of what was merged; a recomputation from the trades mends such a bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ
from vintner.lake.keyed import members
from vintner.lake.model import RECORD_ID, SOURCE, Dataset
from vintner.marketdata.engine.merge import BAR_KEY, merge_bars
from vintner.messaging.records import Bar, schema_of

PARTIAL: Final = "partial"

Row = dict[str, Any]
"""A row of the bars dataset, as Python values."""


def merge_late(
    facts: pa.Table, partial: pa.ChunkedArray, dataset: Dataset, held: Callable[[pa.Table], pa.Table]
) -> pa.Table:
    """Return the rows to land for bars of a call, some of which are partial; see the module's steps.

    Parameters
    ----------
    facts
        Rows of the bars dataset without ``ingested_at``, in the order they were sent.
    partial
        Which of them are partial (bool).
    held
        Given rows, every version the lake holds of the bars among them.

    Returns
    -------
    pa.Table
        The columns of ``facts``: full bars as they are, then what partials make.
    """
    late, full = facts.filter(partial), facts.filter(pc.invert(partial))
    if not late.num_rows:
        return facts
    versions: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    beside = full.filter(members(full, late, (*dataset.key_names, EVENT_TIME)))
    for row in (*held(late).select(facts.column_names).to_pylist(), *beside.to_pylist()):
        versions[_key(row)].append(row)
    waiting: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in late.to_pylist():
        waiting[_key(row)].append(row)
    made: list[Row] = []
    while waiting:
        fresh = []
        for key, rows in waiting.items():
            again = _stated_again(rows[0], versions[key])
            made += again
            if not again:
                fresh.append(rows[0])
        for row in _merged_in(fresh, versions):
            versions[_key(row)].append(row)
            made.append(row)
        waiting = defaultdict(list, {key: rows[1:] for key, rows in waiting.items() if len(rows) > 1})
    return pa.concat_tables([full, pa.Table.from_pylist(made, schema=facts.schema)])


def _stated_again(row: Row, versions: Iterable[Row]) -> list[Row]:
    """Return the rows a partial made when it was landed before, as if it made them now; none if it was not."""
    before = [one for one in versions if one[KNOWLEDGE_TIME] == row[KNOWLEDGE_TIME] and one[REVISION_SEQ] == 0]
    if not before:
        return []
    by = before[0][RECORD_ID]
    lineage = {name: row[name] for name in (SOURCE, RECORD_ID)}
    return [one | lineage for one in versions if one[RECORD_ID] == by]


def _merged_in(partials: list[Row], versions: Mapping[tuple[Any, ...], list[Row]]) -> list[Row]:
    """Return the versions that partials of different bars make, and a further revision of each known later."""
    bases: list[tuple[Row | None, Row]] = []
    later: defaultdict[int, list[tuple[Row | None, Row]]] = defaultdict(list)
    for row in partials:
        newest = {one[KNOWLEDGE_TIME]: one for one in sorted(versions[_key(row)], key=_age)}
        earlier = [one for known, one in newest.items() if known < row[KNOWLEDGE_TIME]]
        bases.append((earlier[-1] if earlier else None, row))
        for place, one in enumerate(one for known, one in newest.items() if known > row[KNOWLEDGE_TIME]):
            clocks = {KNOWLEDGE_TIME: one[KNOWLEDGE_TIME], REVISION_SEQ: one[REVISION_SEQ] + 1}
            later[place].append((one, row | clocks))
    return [row for pairs in (bases, *later.values()) for row in _pairs_merged(pairs)]


def _pairs_merged(pairs: list[tuple[Row | None, Row]]) -> list[Row]:
    """Return each pair of a version and a partial merged, as the partial is known; no two are of one bar."""
    if not pairs:
        return []
    older = _bars([one for one, _ in pairs if one is not None], partial=False)
    merged = merge_bars(older, _bars([row for _, row in pairs], partial=True)).drop_columns([PARTIAL])
    found = {_key(row): row for row in merged.to_pylist()}
    return [row | found[_key(row)] for _, row in pairs]


def _bars(rows: list[Row], *, partial: bool) -> pa.Table:
    return pa.Table.from_pylist([row | {PARTIAL: partial} for row in rows], schema=schema_of(Bar))


def _age(row: Row) -> tuple[Any, int]:
    return row[KNOWLEDGE_TIME], row[REVISION_SEQ]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in BAR_KEY)
