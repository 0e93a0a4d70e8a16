"""Gathers what a run works on: feeds from the packages or a folder, and the questions that fit them.

What the layout's story leaves out is chosen from the data: UK GDP of 2008 Q3 where it is there, else the fact that
was revised most often; the three dates are its first publication and two later ones; the decisions are the month
ends of the prices, at 22:00 UTC, after every close and its delivery.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.errors import StoryImpossibleError
from local.demo.folder import find_layout, read_feed
from local.demo.model import Feed, MacroQuestion, Material
from local.demo.rules import StoryRule
from local.demo.sources import PACKAGED, read_packaged
from local.demo.sources.clocks import Delay, end_of, upserts
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.marketdata import INSTRUMENTS, MACRO_SERIES, PRICES_DAILY

UK_GDP_2008_Q3: Final = StoryRule.model_validate({
    "entity": "uk.gdpkp",
    "title": "UK real GDP, quarter on quarter",
    "unit": "%",
    "event": date(2008, 9, 30),
    "previous": date(2008, 6, 30),
    "measure": "growth",
    "known_at": [datetime(year, 1, 1, tzinfo=UTC) for year in (2009, 2010, 2012)],
    "expected": (-0.42, -1.64),
})  # fmt: skip
DECISION_TIME: Final = time(22)
MOST_SYMBOLS: Final = 40
MOST_DECISIONS: Final = 48


def gather(folder: Path | None, *, now: datetime) -> Material:
    """Read the feeds and choose the questions.

    Parameters
    ----------
    folder
        The user's data, or None for the packaged data alone.
    now
        Nothing that becomes known later is taken.

    Raises
    ------
    DemoError
        The data cannot be read or has no answer for a question.
    """
    if folder is None:
        return _material(read_packaged(), StoryRule(), now, "real data that ships inside packages", ())
    layout = find_layout(folder)
    own = [read_feed(folder, rule) for rule in layout.feeds]
    named = _missing(own) if layout.packaged == "missing" else layout.packaged
    added = read_packaged(named)
    notes = tuple(f"{feed.dataset} of {feed.name} is added from the packaged data" for feed in added)
    return _material([*own, *added], layout.story, now, f"{folder} ({layout.name})", notes)


def _missing(own: Sequence[Feed]) -> list[str]:
    """Name the packaged feeds of the datasets that the folder has not; packaged prices bring their instruments."""
    present = {feed.dataset for feed in own}
    if PRICES_DAILY.name in present:
        present.add(INSTRUMENTS.name)
    elif INSTRUMENTS.name in present:
        present.remove(INSTRUMENTS.name)
    by_dataset = {"us-instruments": INSTRUMENTS.name, "us-prices": PRICES_DAILY.name, "uk-macro": MACRO_SERIES.name}
    by_dataset |= {"sp500-membership": "index_membership", "french-factors": "factor_returns"}
    return [name for name in PACKAGED if by_dataset[name] not in present]


def _material(feeds: Iterable[Feed], story: StoryRule, now: datetime, origin: str, notes: tuple[str, ...]) -> Material:
    known = [feed.known_by(now) for feed in feeds]
    derived = _derived_instruments(known)
    draft = Material(
        feeds=(*derived, *known),
        macro=_macro_question([feed for feed in known if feed.dataset == MACRO_SERIES.name], story),
        symbols=(),
        decisions=(),
        origin=origin,
        notes=(*notes, *(f"instruments are made from the symbols of {feed.name}" for feed in derived)),
    )
    return Material(
        feeds=draft.feeds,
        macro=draft.macro,
        symbols=_symbols(draft, story),
        decisions=_decisions(draft, story),
        origin=origin,
        notes=draft.notes,
    )


def _derived_instruments(feeds: Sequence[Feed]) -> list[Feed]:
    """State the instruments of prices that come without them; without, every price would be quarantined."""
    stated = {entity for feed in feeds if feed.dataset == INSTRUMENTS.name for entity in feed.entities}
    made = []
    for feed in (feed for feed in feeds if feed.dataset == PRICES_DAILY.name and feed.rows):
        symbols = [] if stated else list(feed.entities)
        if symbols:
            known = pc.min(feed.facts[KNOWLEDGE_TIME]).as_py()
            clock = pa.repeat(pa.scalar(known, INSTANT), len(symbols))
            facts = pa.table({ENTITY: symbols, EVENT_TIME: clock, KNOWLEDGE_TIME: clock, "name": symbols})
            made.append(
                Feed(
                    name=feed.name,
                    dataset=INSTRUMENTS.name,
                    facts=upserts(facts),
                    origin=feed.origin,
                    known_by_rule="with the first price",
                )
            )
    return made


def _macro_question(feeds: Sequence[Feed], story: StoryRule) -> MacroQuestion:
    present = {entity for feed in feeds for entity in feed.entities}
    if story.entity is None and UK_GDP_2008_Q3.entity in present:
        story = UK_GDP_2008_Q3
    entity = story.entity or _most_revised([feed.facts for feed in feeds], ENTITY)
    mine = [feed.facts.filter(pc.equal(feed.facts[ENTITY], entity)) for feed in feeds]
    mine = [facts for facts in mine if facts.num_rows]
    if not mine:
        remedy = "name one of the series of macro_series in the layout's story"
        raise StoryImpossibleError(question=f"the macro series {entity}", problem="it has no facts", remedy=remedy)
    event = _midnight(story.event) if story.event else _most_revised(mine, EVENT_TIME)
    times = sorted({time for facts in mine for time in facts[EVENT_TIME].to_pylist() if time is not None})
    earlier = [time for time in times if time < event]
    if event not in times or not earlier:
        problem = f"it has no fact of {event:%Y-%m-%d} with one before it"
        remedy = f"choose an event of {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d} in the layout's story"
        raise StoryImpossibleError(question=f"the macro series {entity}", problem=problem, remedy=remedy)
    return MacroQuestion(
        entity=entity,
        title=story.title or entity,
        unit=story.unit,
        event=event,
        previous=_midnight(story.previous) if story.previous else earlier[-1],
        measure=story.measure,
        known_at=story.known_at or _publications(mine, event),
        expected=story.expected,
    )


def _most_revised(tables: Sequence[pa.Table], column: str) -> Any:
    if not tables:
        remedy = "add facts of dataset macro_series"
        raise StoryImpossibleError(question="a macro series", problem="there is none", remedy=remedy)
    counted = pc.value_counts(pa.concat_tables([table.select([column]) for table in tables])[column])
    ranked = sorted(counted.to_pylist(), key=lambda row: (-row["counts"], str(row["values"])))
    return ranked[0]["values"]


def _publications(tables: Sequence[pa.Table], event: datetime) -> tuple[datetime, ...]:
    """Return the first instant the fact was known, and two later ones at which it had been revised."""
    versions = [table.filter(pc.equal(table[EVENT_TIME], pa.scalar(event, INSTANT))) for table in tables]
    known = sorted({at for table in versions for at in table[KNOWLEDGE_TIME].to_pylist() if at is not None})
    chosen = dict.fromkeys((known[0], known[len(known) // 3], known[2 * len(known) // 3]))
    return tuple(chosen)


def _symbols(draft: Material, story: StoryRule) -> tuple[str, ...]:
    present = sorted({entity for feed in draft.of(PRICES_DAILY.name) for entity in feed.entities})
    if not present:
        remedy = "add facts of dataset prices_daily"
        raise StoryImpossibleError(question="a feature table", problem="there are no prices", remedy=remedy)
    return story.symbols or tuple(present[:MOST_SYMBOLS])


def _decisions(draft: Material, story: StoryRule) -> tuple[datetime, ...]:
    """Return the month ends that the prices cover: the last ones, if there are many."""
    first, last = (instant.date() for instant in draft.times(PRICES_DAILY.name))
    month = end_of(max(first, story.start or first), "month")
    ends: list[datetime] = []
    while month <= end_of(min(last, story.end or last), "month"):
        ends.append(datetime.combine(month, DECISION_TIME, UTC))
        month = end_of(Delay(months=1).on_calendar(month.replace(day=1)), "month")
    return tuple(ends[-MOST_DECISIONS:])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
