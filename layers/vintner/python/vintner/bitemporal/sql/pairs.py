"""Questions with cuts of their own, and windows: each question is paired with the facts that stand at its cuts.

1. Where the system cut is the same for all rows, versions are turned into spells once (:mod:`.spells`): a question
   pairs with exactly one version of each fact, its winner. Where each row has a system cut of its own, a question
   pairs with all versions it may see, and the winner of each fact is ranked first.
2. Only events that have come, and where a time to live or a span bounds the answer, only those within it.
3. As-of join: of a question's pairs the newest event. Trailing read: of a question's pairs the newest few, as lists.

The work grows with the pairs: questions times events of an entity, bounded by ttl and span where they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from vintner.bitemporal.sql.layout import Cte, Join, Select, case, row_number
from vintner.bitemporal.sql.line import Answers
from vintner.bitemporal.sql.plan import ONCE, Plan
from vintner.bitemporal.sql.spells import spells_of
from vintner.bitemporal.sql.table_reads import NO_GHOSTS, STANDING, sentence


def answers_by_own_cuts(plan: Plan) -> Answers:
    """Answer questions that bring their own knowledge cut or system cut."""
    asked = plan.step("asked")
    tells = plan.source.reason is not None
    steps, winners = _winners(plan, asked, bounds=[] if tells else plan.fresh("{event}", asked))
    latest, rank = plan.step("latest"), plan.names.fresh("event_rank")
    order = plan.spell.ranking(*(["CASE WHEN op = 'upsert' THEN 0 ELSE 1 END"] if tells else []), "event_time DESC")
    ranked = Select(
        notes=["4. The newest event" + (" that stands; failing that, one that was withdrawn." if tells else ".")],
        columns=[*plan.question, *plan.carried, row_number(of=plan.question, by=order, name=rank)],
        source=winners,
        where=[] if tells else [STANDING],
    )
    answer = _told(plan, latest, rank) if tells else _given(plan, latest, rank)
    return [plan.ask(asked), *steps, Cte(latest, ranked), answer], answer.name


def windows(plan: Plan, *, last: int | None, span: timedelta | None) -> Answers:
    """Collect the newest events of each question."""
    asked = plan.step("asked")
    bounds = plan.fresh("{event}", asked)
    if span is not None:
        bounds.append(f"{{event}} > {plan.spell.earlier(f'{asked}.{plan.at}', span, field='span')}")
    steps, winners = _winners(plan, asked, bounds=bounds)
    window, rank = plan.step("in_window"), plan.names.fresh("event_rank")
    ranked = row_number(of=plan.question, by=plan.spell.ranking("event_time DESC"), name=rank)
    standing = Select(
        notes=[f"3. {sentence(NO_GHOSTS)}"],
        columns=[*plan.question, *plan.carried, *([] if last is None else [ranked])],
        source=winners,
        where=[STANDING],
    )
    answers = Cte(plan.step("answers"), _listed(plan, window, [] if last is None else [f"{rank} <= {int(last)}"]))
    return [plan.ask(asked), *steps, Cte(window, standing), answers], answers.name


def _listed(plan: Plan, window: str, within: list[str]) -> Select:
    spell, columns = plan.spell.name, plan.source.columns
    lists = zip(plan.spell.lists([spell(column) for column in columns.values()], "event_time"), columns, strict=True)
    return Select(
        notes=["4. The window of each question, oldest event first."],
        columns=[*plan.question, *(f"{values} AS {spell(out)}" for values, out in lists)],
        source=window,
        where=within,
        group_by=plan.question,
    )


def _winners(plan: Plan, asked: str, *, bounds: Sequence[str]) -> tuple[list[Cte], str]:
    """Pair questions with the winners of facts; ``bounds`` hold ``{event}`` where the event time goes."""
    return _ranked_winners(plan, asked, bounds) if plan.own_system else _spelled_winners(plan, asked, bounds)


def _spelled_winners(plan: Plan, asked: str, bounds: Sequence[str]) -> tuple[list[Cte], str]:
    spells = spells_of(plan)
    winners = plan.step("winners")
    event = f"{spells.name}.event_time"
    paired = Select(
        notes=["The winners at each question's cuts, of events that have come."],
        columns=[*(f"{asked}.{each}" for each in plan.question), *(f"{spells.name}.{each}" for each in plan.carried)],
        source=asked,
        joins=[
            Join(
                table=spells.name,
                on=[
                    *plan.same_entity(spells.name, asked),
                    *spells.winning(plan.known_to(asked)),
                    f"{event} <= {asked}.{plan.at}",
                    *(bound.format(event=event) for bound in bounds),
                ],
            )
        ],
    )
    return [spells.step, Cte(winners, paired)], winners


def _ranked_winners(plan: Plan, asked: str, bounds: Sequence[str]) -> tuple[list[Cte], str]:
    seen, winners, rank = plan.step("seen"), plan.step("winners"), plan.names.fresh("version_rank")
    facts, table = plan.facts, plan.step("facts")
    event = f"{table}.event_time"
    question = [f"{asked}.{each}" for each in plan.question]
    paired = Select(
        notes=["1. What each question may see, of events that have come.", f"2. The last known wins its fact; {ONCE}."],
        columns=[
            *question,
            *(f"{table}.{each}" for each in plan.carried),
            row_number(of=[*question, event], by=facts.newest_first(f"{table}."), name=rank),
        ],
        source=asked,
        joins=[
            Join(
                table=f"{facts.source} AS {table}",
                on=[
                    *plan.same_entity(table, asked),
                    f"{table}.knowledge_time <= {plan.known_to(asked)}",
                    f"{table}.ingested_at <= {asked}.{plan.own_system}",
                    f"{event} <= {asked}.{plan.at}",
                    *(bound.format(event=event) for bound in bounds),
                ],
            )
        ],
    )
    first = Select(columns=[*plan.question, *plan.carried], source=seen, where=[f"{rank} = 1"])
    return [Cte(seen, paired), Cte(winners, first)], winners


def _given(plan: Plan, latest: str, rank: str) -> Cte:
    body = Select(columns=[*plan.question, *plan.outputs("{}")], source=latest, where=[f"{rank} = 1"])
    return Cte(plan.step("answers"), body)


def _told(plan: Plan, latest: str, rank: str) -> Cte:
    fresh = plan.fresh("event_time", latest)
    stands = " AND ".join([STANDING, *fresh])
    whens = [(f"NOT {STANDING}", "'deleted'"), *((f"NOT {each}", "'expired'") for each in fresh)]
    body = Select(
        notes=["5. Its values, or why there are none; an expired answer is never replaced by an older one."],
        columns=[
            *plan.question,
            *plan.outputs(f"CASE WHEN {stands} THEN {{}} END"),
            case(whens, name=plan.spell.name(str(plan.source.reason))),
        ],
        source=latest,
        where=[f"{rank} = 1"],
    )
    return Cte(plan.step("answers"), body)
