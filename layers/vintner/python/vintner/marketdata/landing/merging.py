"""Late trades merged into the bars they belong to, as the lake is written.

A *partial* holds only trades that came after their bar had left the engine's state. It becomes a version of the bar:

1.  Its base is the newest version of the bar known before it, in the lake or earlier in the same call. The new
    version is base and partial merged, known when the partial was. Without a base it is the partial.
2.  Versions of the bar that are known later are there already when a partial was held up on its way and is landed out
    of turn. Each gets a further revision, with the partial merged in: what was known by then includes it.
3.  A partial whose bar has a version known at its very instant was landed before: an instant has one version at most.
    The rows it made then are stated again, so that they are recognised, and served if they were not yet.

A full revision that is landed after a partial built upon what came before it is kept as it is, but is not part of what
was merged; a recomputation from the trades mends such a bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Context
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ
from vintner.lake.keyed import members
from vintner.lake.model import RECORD_ID, SOURCE, Dataset

Bar = Mapping[str, Any]
"""A row of the bars dataset, as Python values."""

_SUMS: Final = ("volume", "notional", "buy_volume", "sell_volume")
_EXACT: Final = Context(prec=38)
"""As many digits as the columns hold."""


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
    late = facts.filter(partial)
    if not late.num_rows:
        return facts
    names = (*dataset.key_names, EVENT_TIME)
    known: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in held(late).select(facts.column_names).to_pylist():
        known[_fact(row, names)].append(row)
    concerned = members(facts, late, names)
    made: list[dict[str, Any]] = []
    rows = zip(facts.filter(concerned).to_pylist(), partial.filter(concerned).to_pylist(), strict=True)
    for row, is_partial in rows:
        versions = known[_fact(row, names)]
        if not is_partial:
            versions.append(row)
            continue
        stated = _stated_again(row, versions)
        if not stated:
            stated = _merged_in(row, versions)
            versions += stated
        made += stated
    return pa.concat_tables([facts.filter(pc.invert(partial)), pa.Table.from_pylist(made, schema=facts.schema)])


def merge_bars(one: Bar, other: Bar) -> dict[str, Any]:
    """Return the summary of the trades of two bars of one interval; clocks and lineage are those of ``other``.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> at = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    >>> sums = dict.fromkeys(("volume", "notional", "buy_volume", "sell_volume"), Decimal(1)) | {"trades": 1}
    >>> ends = {"first_at": at, "first_id": 7, "last_at": at, "last_id": 7}
    >>> one = sums | ends | dict.fromkeys(("open", "high", "low", "close"), Decimal(10))
    >>> merged = merge_bars(one, one | {"last_id": 8, "close": Decimal(9), "low": Decimal(9)})
    >>> merged["open"], merged["low"], merged["close"], merged["trades"], merged["volume"]
    (Decimal('10'), Decimal('9'), Decimal('9'), 2, Decimal('2'))
    """
    merged = dict(other)
    merged |= _end(one, other, ("first_at", "first_id", "open"), earliest=True)
    merged |= _end(one, other, ("last_at", "last_id", "close"), earliest=False)
    for name, best in (("high", max), ("low", min)):
        merged[name] = best((bar[name] for bar in (one, other) if bar[name] is not None), default=None)
    merged |= {name: _EXACT.add(one[name], other[name]) for name in _SUMS}
    merged["trades"] = one["trades"] + other["trades"]
    return merged


def _end(one: Bar, other: Bar, names: tuple[str, str, str], *, earliest: bool) -> dict[str, Any]:
    """Return time, id and price of the first or the last trade of both bars; all null if neither has one."""
    at, number, price = names
    ends = [(bar[at], bar[number], bar[price]) for bar in (one, other) if bar[at] is not None]
    if not ends:
        return dict.fromkeys(names)
    chosen = (min if earliest else max)(ends, key=lambda end: (end[0], end[1]))
    return dict(zip(names, chosen, strict=True))


def _stated_again(row: Bar, versions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows a partial made when it was landed before, as if it made them now; none if it was not."""
    before = [one for one in versions if one[KNOWLEDGE_TIME] == row[KNOWLEDGE_TIME] and one[REVISION_SEQ] == 0]
    if not before:
        return []
    by = before[0][RECORD_ID]
    lineage = {name: row[name] for name in (SOURCE, RECORD_ID)}
    return [one | lineage for one in versions if one[RECORD_ID] == by]


def _merged_in(row: dict[str, Any], versions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the version a partial makes, and a further revision of each version known later."""
    at = row[KNOWLEDGE_TIME]
    newest: dict[Any, dict[str, Any]] = {}
    for one in sorted(versions, key=_age):
        newest[one[KNOWLEDGE_TIME]] = one
    earlier = [one for known, one in newest.items() if known < at]
    made = [merge_bars(earlier[-1], row) if earlier else row]
    for known, one in newest.items():
        if known > at:
            further = {KNOWLEDGE_TIME: known, REVISION_SEQ: one[REVISION_SEQ] + 1}
            made.append(merge_bars(one, row) | further)
    return made


def _age(row: Bar) -> tuple[Any, int]:
    return row[KNOWLEDGE_TIME], row[REVISION_SEQ]


def _fact(row: Bar, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)
