"""One period of a revised series: as known then, as it stands today, and the picture's two lines.

The answer for one knowledge cut is made inside that vintage: growth is the ratio of two levels that were known
together, never of a level from one base year and a level from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.compare import Answer
from local.demo.errors import StoryImpossibleError
from local.demo.model import MacroQuestion
from local.demo.report import MacroAnswer
from vintner.bitemporal import vintage
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME

YEARS_BEFORE, YEARS_AFTER = 4, 5
"""The span of the picture around the period in question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is drawn: each period's first print and latest value, and the period in question as it was known."""

    question: MacroQuestion
    periods: Sequence[datetime]
    first: Sequence[float]
    latest: Sequence[float]
    known_at: Sequence[datetime]
    as_known: Sequence[float]
    today: datetime


def macro_answer(question: MacroQuestion, series: Answer, known_at: datetime) -> MacroAnswer:
    """Answer the question from a whole series as known at one instant.

    Raises
    ------
    StoryImpossibleError
        The period, or the one before it, was not known then.
    """
    at = series.columns.index("value")
    levels = {key[0]: row[at] for key, row in series.rows.items()}
    for event in (question.event, question.previous):
        if event not in levels:
            problem = f"{event:%Y-%m-%d} was not known at {known_at.isoformat()}"
            remedy = "choose later dates in the layout's story"
            raise StoryImpossibleError(
                question=f"{question.entity} of {question.period}", problem=problem, remedy=remedy
            )
    level, previous = levels[question.event], levels[question.previous]
    return MacroAnswer(known_at=known_at, level=level, previous=previous, answer=_measured(question, level, previous))


def picture_of(question: MacroQuestion, facts: pa.Table, today: datetime) -> Picture:
    """Return the picture's lines from all versions of the series (rows of ``macro_series``)."""
    mine = facts.filter(pc.equal(facts[ENTITY], question.entity))
    latest = _levels(mine, today)
    events = sorted(latest)
    first_year, last_year = question.event.year - YEARS_BEFORE, question.event.year + YEARS_AFTER
    pairs = [(before, at) for before, at in pairwise(events) if first_year <= at.year <= last_year]
    if question.measure == "growth":
        step = question.event - question.previous
        pairs = [(before, at) for before, at in pairs if at - before < 1.5 * step]
    first, final = [], []
    for before, at in pairs:
        then = _levels(_of(mine, (before, at)), _first_known(mine, at))
        first.append(_measured(question, then[at], then.get(before, float("nan"))))
        final.append(_measured(question, latest[at], latest[before]))
    pair = _of(mine, (question.previous, question.event))
    published = _first_known(mine, question.event)
    known_at = sorted(at for at in set(pair[KNOWLEDGE_TIME].to_pylist()) if published <= at <= today)
    vintages = [_levels(pair, at) for at in known_at]
    return Picture(
        question=question,
        periods=[at for _, at in pairs],
        first=first,
        latest=final,
        known_at=known_at,
        as_known=[_measured(question, known[question.event], known[question.previous]) for known in vintages],
        today=today,
    )


def _measured(question: MacroQuestion, level: float, previous: float) -> float:
    return (level / previous - 1.0) * 100.0 if question.measure == "growth" else level


def _levels(facts: pa.Table, known_at: datetime) -> Mapping[datetime, float]:
    known = vintage(facts, known_at=known_at)
    return dict(zip(known[EVENT_TIME].to_pylist(), known["value"].to_pylist(), strict=True))


def _of(facts: pa.Table, events: Sequence[datetime]) -> pa.Table:
    return facts.filter(pc.is_in(facts[EVENT_TIME], value_set=pa.array(events, INSTANT)))


def _first_known(facts: pa.Table, event: datetime) -> datetime:
    first: datetime = pc.min(_of(facts, (event,))[KNOWLEDGE_TIME]).as_py()
    return first
