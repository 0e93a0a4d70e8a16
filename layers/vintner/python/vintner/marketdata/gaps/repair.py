"""The repair of one gap, in steps that may end anywhere and be done again.

1.  *Claim.* A conditional write gives the gap to one worker at a time and numbers the attempt; who dies loses the
    claim after a while.
2.  *Look.* The lake says which of the missing trades it holds, and who brought each. If it holds all of them, and they
    have gone through the stream since (the engine has said so, or an attempt has published them), the gap is closed:
    *repaired* where rows came from its repairs, *explained* where they came late by themselves.
3.  *Give up.* After the declared number of attempts it is *unrepairable*, with what the sources said.
4.  *State* that it is being repaired, before anything is published.
5.  *Ask* the sources in order, each through its breaker, for what is still wanted, piece by piece, and *publish* what
    they give to the trades stream, as producer ``repair/<gap id>.<attempt>.<source>``. The lake comes first: what it
    holds and the engine may have missed goes through the stream again. Each attempt is a life of its own of the
    producer, so that its sequence begins anew; what comes twice is recognised by trade id.
6.  *Release* the claim, with the time of the next look.

So a gap is never called repaired before the lake holds what was missing. Whatever happens between two writes, the
next attempt finds what is done: a claim that ran out, rows published once more, a state stated again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.marketdata.gaps.causes import Evidence, cause_of
from vintner.marketdata.gaps.model import Gap, GapKind, GapState
from vintner.marketdata.gaps.ranges import Range, missing, of_numbers, pieces, size, without
from vintner.marketdata.gaps.silent import repair_silence
from vintner.marketdata.gaps.sources import SecondarySource, each_once
from vintner.marketdata.gaps.workshop import Workshop, close, give_up, repairs_among

PATIENT_LOOKS: Final = 3
"""Looks at a gap the engine says is filled, before the lake's lander is no longer waited for."""
_PIECE: Final = 1000


def repair(gap: Gap, shop: Workshop) -> Gap:
    """Do one attempt on a gap; see the module's steps. Return it as it is known now.

    Examples
    --------
    >>> repair(gap, workshop).state  # doctest: +SKIP
    <GapState.REPAIRING: 'repairing'>
    """
    if gap.has_ended:
        return gap
    attempt = shop.claims.take(gap, now=shop.clock(), lease=shop.limits.lease)
    if attempt is None:
        return gap
    repairs = {GapKind.SEQUENCE: _repair_numbers, GapKind.CALENDAR: repair_silence}
    done = repairs[gap.kind](gap, attempt, shop)
    shop.claims.release(gap, attempt, due=shop.limits.next_look(attempt, shop.clock()))
    return done


def _repair_numbers(gap: Gap, attempt: int, shop: Workshop) -> Gap:
    around = shop.held.ids(gap)
    inside = around.filter(_inside(around, gap.numbers))
    left = missing(inside["trade_id"].to_pylist(), gap.numbers)
    cause = cause_of(gap, _with_producers(shop.held.evidence(gap), around, gap.numbers))
    if not left and (gap.state is not GapState.OPEN or attempt > shop.limits.attempts):
        return close(gap, inside, cause, attempt, shop)
    if gap.state is GapState.REPAIRED and attempt <= PATIENT_LOOKS:
        return gap  # the engine has it; the lake will
    if attempt > shop.limits.attempts:
        return give_up(gap, attempt, _why(gap), shop, missing_rows=size(left), cause=cause)
    changes: dict[str, Any] = {"state": GapState.REPAIRING, "cause": cause, "attempts": attempt}
    gap = shop.state(gap, missing_rows=size(left), repaired_at=None, **changes)
    ours = [number for number, source in _pairs(inside) if repairs_among(gap, [source])]
    wanted, said = without([gap.numbers], of_numbers(ours)), list[str]()
    for source in shop.sources:
        wanted = _publish_from(gap, attempt, source, wanted, shop, said)
    return _told(gap, wanted, said, shop)


def _publish_from(
    gap: Gap, attempt: int, source: SecondarySource, wanted: list[Range], shop: Workshop, said: list[str]
) -> list[Range]:
    """Publish what a source has of what is wanted; return what is still wanted."""
    left: list[Range] = []
    for piece in pieces(wanted, _PIECE):
        rows = shop.ask(source.name, partial(source.fetch, gap.instrument, *piece), said)
        if rows is not None:
            rows = each_once(rows.filter(_inside(rows, piece)))
            shop.send(gap, attempt, source.name, rows)
        left += without([piece], of_numbers(rows["trade_id"].to_pylist() if rows is not None else ()))
    return left


def _told(gap: Gap, wanted: list[Range], said: list[str], shop: Workshop) -> Gap:
    """State what the sources said, where that is not all well."""
    if not wanted and not said:
        return gap
    first = f"{size(wanted)} of {size([gap.numbers])} trades are in no source that could be asked"
    return shop.state(gap, reason="; ".join([*([first] if wanted else []), *said])[:2000])


def _why(gap: Gap) -> str:
    return gap.reason or "what was published has not come to the lake"


def _with_producers(evidence: Evidence, around: pa.Table, numbers: Range) -> Evidence:
    before = [source for number, source in _pairs(around) if number < numbers[0]]
    after = [source for number, source in _pairs(around) if number > numbers[1]]
    return replace(evidence, producer_before=next(iter(before), None), producer_after=next(iter(after), None))


def _pairs(rows: pa.Table) -> list[tuple[int, str]]:
    return list(zip(rows["trade_id"].to_pylist(), rows["source"].to_pylist(), strict=True))


def _inside(rows: pa.Table, numbers: Range) -> Any:
    return pc.and_(pc.greater_equal(rows["trade_id"], numbers[0]), pc.less_equal(rows["trade_id"], numbers[1]))
