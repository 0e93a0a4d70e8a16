"""The answer of an as-of read as a function of time: per key, the steps at which it changes.

A spine of any size then needs one ordinary as-of join on one clock. Two kinds of steps:

**Fixed knowledge** (everything as known at one instant K, event cut E moving):

1. keep, per fact, the version with the largest ``(knowledge_time, revision_seq)``, and drop the fact when it is a
   tombstone; what is left is the vintage;
2. each fact of the vintage is a step at its event time.

**Rolling knowledge** (decision time T moving, E = T and K = T - delay):

1. A version can matter from ``start = max(knowledge_time + delay, event_time)``: only then is it both known and not
   in the future. A future-dated fact so waits for its event.
2. Per key, order the versions by ``(start, event_time, knowledge_time, revision_seq)``. A version *leads* when no
   earlier one has a later event, and it is the last of its start. At T the newest leader is the winning version of
   the newest event; versions that never lead, such as late restatements of old periods, are dropped.
3. If no leader is a tombstone, the leaders are the steps.
4. Where a tombstone leads, the answer falls back to an older event, until the next leader. This *gap* is settled at
   each start inside it:

   a. a fact lives in *spans*, from an upsert to the tombstone that ends it; revisions do not end a span;
   b. among spans that never end, the newest event is a running maximum, hence an as-of join;
   c. among spans that end, it is the newest event whose span contains the start (few, so by plain comparison);
   d. the larger of both is the event, and its version known at the start is the step. None is a step to null.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.engine import query
from vintner.bitemporal.versions import Versions, last_of

STEP: Final = ("key", "start", "event", "row")

_SETTLED: Final = """
    WITH states AS MATERIALIZED (
        SELECT key, event, known + {delay} AS since, dead, row FROM versions
        WHERE key IN (SELECT key FROM gaps)
        QUALIFY row_number() OVER (PARTITION BY key, event, known ORDER BY seq DESC) = 1
    ), runs AS (
        SELECT *, count(*) FILTER (dead) OVER (PARTITION BY key, event ORDER BY since
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS run
        FROM states
    ), spans AS MATERIALIZED (
        SELECT key, event, greatest(min(since) FILTER (NOT dead), event) AS start, min(since) FILTER (dead) AS stop
        FROM runs GROUP BY key, event, run HAVING count(*) FILTER (NOT dead) > 0
    ), lasting AS (
        SELECT key, start, max(max(event)) OVER (PARTITION BY key ORDER BY start) AS event
        FROM spans WHERE stop IS NULL GROUP BY key, start
    ), ending AS (
        SELECT g.key, g.start, max(s.event) AS event
        FROM gaps g JOIN spans s ON g.key = s.key AND s.start <= g.start AND g.start < s.stop
        GROUP BY g.key, g.start
    ), newest AS (
        SELECT g.key, g.start, greatest(l.event, e.event) AS event
        FROM gaps g
        ASOF LEFT JOIN lasting l ON g.key = l.key AND g.start >= l.start
        LEFT JOIN ending e ON g.key = e.key AND g.start = e.start
    )
    SELECT n.key, n.start, n.event, s.row
    FROM newest n ASOF LEFT JOIN states s ON n.key = s.key AND n.event = s.event AND n.start >= s.since
"""

_LOOK_UP: Final = """
    SELECT spine.position, {answer} AS row
    FROM spine ASOF LEFT JOIN steps ON spine.key = steps.key AND spine.time >= steps.start
"""


def vintage_index(versions: Versions) -> pa.Table:
    """Return the index of the facts that exist by all of ``versions``: the winners that are not tombstones.

    Examples
    --------
    >>> from vintner.bitemporal.model import fact_schema
    >>> from vintner.bitemporal.versions import versions_of
    >>> vintage_index(versions_of(fact_schema(pa.schema([])).empty_table())).num_rows
    0
    """
    index = versions.index
    return index.filter(pc.and_(last_of(index, ("key", "event")), pc.invert(index["dead"])))


def fixed_steps(versions: Versions) -> pa.Table:
    """Return the steps by event time of what all of ``versions`` say: key, start, event, row.

    Examples
    --------
    >>> from vintner.bitemporal.model import fact_schema
    >>> from vintner.bitemporal.versions import versions_of
    >>> fixed_steps(versions_of(fact_schema(pa.schema([])).empty_table())).column_names
    ['key', 'start', 'event', 'row']
    """
    live = vintage_index(versions)
    return live.select(["key", "event", "event", "row"]).rename_columns(list(STEP))


def rolling_steps(versions: Versions, *, delay: int) -> pa.Table:
    """Return the steps by decision time: key, start, event, row; a null row is a step to "no answer".

    Parameters
    ----------
    versions
        Every version known by the last decision time less ``delay``, made with this delay.
    delay
        Availability delay in microseconds, zero or more.

    Examples
    --------
    >>> from vintner.bitemporal.model import fact_schema
    >>> from vintner.bitemporal.versions import versions_of
    >>> rolling_steps(versions_of(fact_schema(pa.schema([])).empty_table(), delay=0), delay=0).num_rows
    0
    """
    index = versions.index
    last = last_of(index, ("key", "start"))
    leads, marks = _leads(index).filter(last), index.filter(last)
    steps = marks.filter(pc.and_(leads, pc.invert(marks["dead"]))).select(list(STEP))
    if not pc.any(marks["dead"], min_count=0).as_py():
        return steps
    # The first mark of a key leads, so no key inherits the leader of the one before it.
    leader = pc.subtract(pc.cumulative_sum(leads.cast(pa.int64())), 1)
    gaps = marks.filter(marks["dead"].filter(leads).take(leader)).select(["key", "start"])
    return pa.concat_tables([steps, query(_SETTLED.format(delay=delay), versions=index, gaps=gaps)])


def _leads(index: pa.Table) -> Any:
    """Return, per version, whether no version of its key before it has a later event (bool)."""
    if not index.num_rows:
        return pa.array([], pa.bool_())
    # Ranks instead of instants: with the key in front they fit an int64, and one running maximum serves all keys.
    rank = pc.rank(index["event"], tiebreaker="dense").cast(pa.int64())
    height = pc.add(pc.multiply(index["key"].cast(pa.int64()), pa.scalar(2**32, pa.int64())), rank)
    return pc.equal(height, pc.cumulative_max(height))


def look_up(spine: pa.Table, steps: pa.Table, *, ttl: int | None) -> pa.Table:
    """Return for each row of ``spine`` (position, key, time) the row of the step it stands on: position, row.

    The row is null where no step has been reached, where the step is to nothing, and where the event is older than
    ``ttl`` microseconds. The order of the result is not that of the spine.

    Examples
    --------
    >>> spine = pa.table({"position": [0, 1], "key": [0, 0], "time": [5, 25]})
    >>> steps = pa.table({"key": [0], "start": [10], "event": [9], "row": [7]})
    >>> sorted(zip(*look_up(spine, steps, ttl=None).to_pydict().values()))
    [(0, None), (1, 7)]
    """
    answer = "steps.row" if ttl is None else f"CASE WHEN spine.time - steps.event <= {ttl} THEN steps.row END"
    return query(_LOOK_UP.format(answer=answer), spine=spine, steps=steps)
