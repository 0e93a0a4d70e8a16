"""The as-of join and the trailing read: the steps of each source, then the spine with all answers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from vintner.bitemporal.errors import FactSourceError, SpineTableError
from vintner.bitemporal.sql.layout import Cte, Join, Select, case, statement
from vintner.bitemporal.sql.line import Answers, answers_at_one_cut, answers_by_own_time
from vintner.bitemporal.sql.model import SqlSource, SqlSpine, SqlStatement, parts, repeated
from vintner.bitemporal.sql.naming import Names
from vintner.bitemporal.sql.pairs import answers_by_own_cuts, windows
from vintner.bitemporal.sql.plan import Plan, RowCut, plan_of, spine_from, spine_table, written_spine
from vintner.bitemporal.sql.spelling import Spelling


@dataclass(frozen=True, slots=True)
class Show:
    """Which of the spine's columns an answer has (None: all), and which sort it."""

    columns: Sequence[str] | None = None
    order_by: Sequence[str] = ()


def as_of_join(
    spell: Spelling,
    spine: SqlSpine,
    sources: Sequence[SqlSource],
    *,
    known_at: RowCut,
    system_at: RowCut,
    show: Show,
) -> SqlStatement:
    """Write an as-of join."""
    _refuse_names_taken(spine, sources)
    names = _step_names(spine, sources)
    steps: list[Cte] = written_spine(spell, spine)
    joins: list[Join] = []
    columns: list[str] = []
    for source in sources:
        prefix = "" if len(sources) == 1 else _prefix(spell, source)
        plan = plan_of(spell, spine, source, known_at=known_at, system_at=system_at, steps=names, prefix=prefix)
        own, answers = _answers(plan)
        steps += own
        joins.append(plan.answered(answers))
        columns += [f"{answers}.{spell.name(out)}" for out in source.columns]
        columns += _reason(plan, answers)
    return statement(steps, _beside(spell, spine, columns, joins, show))


def trailing(
    spell: Spelling,
    spine: SqlSpine,
    source: SqlSource,
    *,
    last: int | None,
    span: timedelta | None,
    known_at: RowCut,
    system_at: RowCut,
    show: Show,
) -> SqlStatement:
    """Write a trailing read."""
    if last is not None and last < 1:
        raise SpineTableError(column="last", problem=f"is {last}", remedy="give one event or more")
    _refuse_names_taken(spine, [source])
    names = _step_names(spine, [source])
    cuts: dict[str, Any] = {"known_at": known_at, "system_at": system_at, "steps": names}
    plan = plan_of(spell, spine, source, prefix="", **cuts)
    steps, answers = windows(plan, last=last, span=span)
    joins = [plan.answered(answers)]
    outputs = [spell.name(out) for out in source.columns]
    columns = [f"coalesce({answers}.{out}, {spell.no_list}) AS {out}" for out in outputs]
    if source.reason is not None:
        asking = replace(source, columns={}, ttl=None)
        why = plan_of(spell, spine, asking, prefix="why_", **cuts)
        more, reasons = _answers(why)
        steps += more
        joins.append(why.answered(reasons))
        columns.append(_reason_of_a_window(plan, answers, why, reasons))
    return statement([*written_spine(spell, spine), *steps], _beside(spell, spine, columns, joins, show))


def _answers(plan: Plan) -> Answers:
    if plan.own_known or plan.own_system:
        return answers_by_own_cuts(plan)
    return answers_by_own_time(plan) if plan.known_at is None else answers_at_one_cut(plan)


def _reason(plan: Plan, answers: str) -> list[str]:
    if plan.source.reason is None:
        return []
    reason = plan.spell.name(plan.source.reason)
    return [case([(f"{answers}.{plan.at} IS NULL", "'never_known'")], otherwise=f"{answers}.{reason}", name=reason)]


def _reason_of_a_window(plan: Plan, answers: str, why: Plan, reasons: str) -> str:
    reason = plan.spell.name(str(plan.source.reason))
    # Where an event stands, a window is empty because all are too old.
    arms = [
        (f"{answers}.{plan.at} IS NOT NULL", "NULL"),
        (f"{reasons}.{why.at} IS NULL", "'never_known'"),
    ]
    return case(arms, otherwise=f"coalesce({reasons}.{reason}, 'expired')", name=reason)


def _beside(spell: Spelling, spine: SqlSpine, columns: Sequence[str], joins: Sequence[Join], show: Show) -> Select:
    shown = spine.columns if show.columns is None else show.columns
    for column in (*shown, *show.order_by):
        spine.need(column)
    own, order = (
        [f"{spine_table(spell, spine)}.{spell.name(column)}" for column in some] for some in (shown, show.order_by)
    )
    return Select(columns=[*own, *columns], source=spine_from(spell, spine), joins=joins, order_by=order)


def _step_names(spine: SqlSpine, sources: Sequence[SqlSource]) -> Names:
    return Names([parts(spine.name)[-1], *(parts(source.table.name)[-1] for source in sources)])


def _prefix(spell: Spelling, source: SqlSource) -> str:
    """Name the steps of a source after its table, where that needs no quotes."""
    table = parts(source.table.name)[-1]
    return f"{table}_" if spell.name(table) == table else "source_"


def _refuse_names_taken(spine: SqlSpine, sources: Sequence[SqlSource]) -> None:
    outputs = [name for source in sources for name in source.outputs]
    if (twice := repeated([*spine.columns, *outputs])) is not None:
        raise FactSourceError(column=twice, problem="would be there twice", remedy="choose another output name")
