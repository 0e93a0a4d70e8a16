"""The repair of a silence: whether there was nothing, or nothing came.

1.  While it goes on nothing is done: it stays open, and is told of when it is old.
2.  A silence that the venue had halted the instrument for is explained.
3.  Where the venue numbers its trades without holes and the numbers on both sides of the silence follow each other,
    nothing was missed: it is explained. Where they do not, a gap of kind sequence has what is missing.
4.  Otherwise the sources that can be asked by time are asked. What they have and the lake has not is published; once
    the lake holds trades of a repair within it, it is repaired. If all of them answered and none had a trade, it is
    explained; if one could not be asked it is tried again, and given up in the end.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vintner.marketdata.gaps.causes import cause_of
from vintner.marketdata.gaps.model import Cause, Gap, GapState
from vintner.marketdata.gaps.ranges import missing, of_numbers, size
from vintner.marketdata.gaps.workshop import Workshop, close, explain, give_up, repairs_among


def repair_silence(gap: Gap, attempt: int, shop: Workshop) -> Gap:
    """Do one attempt on a gap of kind calendar; see the module's steps."""
    start, end = gap.missing_from, gap.missing_to
    if start is None or end is None:
        return gap
    cause = cause_of(gap, shop.held.evidence(gap))
    if cause is Cause.VENUE_HALT:
        return explain(gap, cause, attempt, "the venue had halted trading", shop)
    rows = shop.held.span(gap)
    if repairs_among(gap, rows["source"].to_pylist()):
        return close(gap, rows, cause, attempt, shop)
    if shop.numbers_are_dense(gap.instrument):
        return explain(gap, cause, attempt, _numbers_say(rows), shop)
    if attempt > shop.limits.attempts:
        return give_up(gap, attempt, gap.reason or "what was published has not come to the lake", shop)
    return _ask(gap, attempt, (start, end), rows, shop)


def _ask(gap: Gap, attempt: int, span: tuple[datetime, datetime], rows: pa.Table, shop: Workshop) -> Gap:
    said: list[str] = []
    found: list[tuple[str, pa.Table]] = []
    for source in shop.span_sources:
        answer = shop.ask(source.name, partial(source.fetch_span, gap.instrument, *span), said)
        if answer is not None:
            fresh = answer.filter(pc.invert(pc.is_in(answer["trade_id"], value_set=rows["trade_id"].combine_chunks())))
            found += [(source.name, fresh)] if fresh.num_rows else []
    if not found and not said:
        asked = ", ".join(one.name for one in shop.span_sources) or "no source can be asked by time"
        reason = f"nobody has a trade in it that the lake has not (asked: {asked})"
        return explain(gap, gap.cause, attempt, reason, shop)
    changes: dict[str, Any] = {
        "state": GapState.REPAIRING,
        "attempts": attempt,
        "reason": "; ".join(said)[:2000] or None,
    }
    gap = shop.state(gap, **changes)
    for name, fresh in found[:1]:
        shop.send(gap, attempt, name, fresh)
    return gap


def _numbers_say(rows: pa.Table) -> str:
    ids = rows["trade_id"].to_pylist()
    ranges = of_numbers(ids)
    absent = size(missing(ids, (ranges[0][0], ranges[-1][1]))) if ranges else 0
    if not absent:
        return "the numbers of the trades on both sides follow each other: none was missed"
    return f"{absent} trades are missing by number: a gap of kind sequence has them"
