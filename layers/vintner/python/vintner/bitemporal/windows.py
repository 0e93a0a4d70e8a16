"""Trailing windows: for each row of a spine, the events up to its time as known then, oldest first.

1. As in the as-of join, index the source and give each row its cuts.
2. Walk back from the newest event by E, taking each that exists as known at K, until the window has its ``last``
   events, or the next is a ``span`` old or more, or older than the ttl.
3. Lists share their offsets; values are fetched by row number.

A rolling mean over revised data so sees each old value as it stood at the row's time, not as it stands today.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, span_us
from vintner.bitemporal.errors import SpineTableError
from vintner.bitemporal.join import Ready, prepare
from vintner.bitemporal.kernel import Asking
from vintner.bitemporal.source import FactSource, check_outputs
from vintner.bitemporal.spine import Cut, Spine, side_by_side, spine_of
from vintner.bitemporal.tabular import Tabular, fetch, reason_text, table_of

_MOST_MEMBERS: Final = 2**31 - 1


def trailing(
    spine: Tabular,
    source: FactSource,
    *,
    last: int | None = None,
    span: timedelta | None = None,
    known_at: Cut = None,
    system_at: Cut = None,
) -> pa.Table:
    """Append to each row of ``spine`` the newest events of its entity, as known at its time.

    Parameters
    ----------
    spine
        As for :func:`as_of_join`.
    source
        The fact table. Its ttl is the largest age of a member; its reason says why a window is empty.
    last
        At most this many events, the newest; no limit if not given.
    span
        Only events younger than this: ``time - span < event_time <= time``; no limit if not given.
    known_at, system_at
        As for :func:`as_of_join`.

    Returns
    -------
    pa.Table
        The spine, and one list column per output name, oldest event first. A row without events has an empty list;
        a null inside a list is a fact that states null.

    Raises
    ------
    SpineTableError, FactSourceError, FactTableError, VersionConflictError, NaiveTimeError, NegativeSpanError

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vintner.bitemporal import FactSource, fact_schema, trailing
    >>> def day(day):
    ...     return datetime(2024, 1, day, tzinfo=UTC)
    >>> rows = [["X", day(1), day(1), 0, "upsert", day(1), 1.0], ["X", day(2), day(2), 0, "upsert", day(2), 2.0],
    ...         ["X", day(1), day(4), 1, "upsert", day(4), 1.5]]
    >>> facts = pa.table(list(zip(*rows)), schema=fact_schema(pa.schema([("value", pa.float64())])))
    >>> spine = pa.table({"entity": ["X", "X"], "time": [day(3), day(4)]})
    >>> trailing(spine, FactSource(facts=facts, columns={"values": "value"}), last=2)["values"].to_pylist()
    [[1.0, 2.0], [1.5, 2.0]]
    """
    if last is not None and last < 1:
        raise SpineTableError(column="last", problem=f"is {last}", remedy="give one event or more")
    table = table_of(spine)
    check_outputs(table, [source])
    asked = spine_of(table, source.spine_names, known_at=known_at, system_at=system_at)
    (ready,) = prepare(asked, [source.in_memory()])
    limits = (LATEST if last is None else last, LATEST if span is None else span_us(span, field="span"))
    stretches = asked.stretches(pa.cpu_count())
    answers = side_by_side(partial(_windows, ready, limits), stretches, rows=asked.rows)
    for number, field in enumerate(source.fields):
        kind = field.type if field.name == source.reason else pa.list_(field.with_name("item"))
        chunks = pa.chunked_array([columns[number] for columns in answers], kind)
        table = table.append_column(field.with_type(kind), chunks)
    return table


def _windows(ready: Ready, limits: tuple[int, int], spine: Spine) -> list[Any]:
    asking = ready.asking(spine)
    windows = ready.versions.index.windows(asking, last=limits[0], span=limits[1])
    if len(windows.members) > _MOST_MEMBERS:
        problem = f"has {len(windows.members)} events in the windows of its rows"
        raise SpineTableError(column="time", problem=problem, remedy="ask for fewer rows at a time")
    offsets = windows.offsets.cast(pa.int32())
    fields = ready.source.fields
    columns = [
        pa.ListArray.from_arrays(offsets, fetch(values, windows.members), type=pa.list_(field.with_name("item")))
        for field, values in zip(fields, ready.values, strict=False)
    ]
    if ready.source.reason is not None:
        columns.append(_reasons(ready, asking, windows.offsets))
    return columns


def _reasons(ready: Ready, asking: Asking, offsets: pa.Array) -> pa.Array:
    answers = ready.versions.index.look_up(asking, reasons=True)
    empty = pc.equal(offsets.slice(1), offsets.slice(0, len(offsets) - 1))
    # A window shorter than the newest event's age is empty for its age, whatever the ttl says.
    expired = pa.scalar("expired")
    return pc.if_else(empty, pc.coalesce(reason_text(answers.reasons), expired), pa.scalar(None, pa.string()))
