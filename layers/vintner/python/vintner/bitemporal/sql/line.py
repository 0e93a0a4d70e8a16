"""The as-of join where a row's cuts lie on one line of time, by sorting instead of pairing.

With one knowledge cut for all rows, or with each row's own time less a delay, a question is one instant T per entity.
A fact stands from some instant on; if no tombstone ever ends it, it stands for good, and the newest such event at T is
a running maximum of event times. So:

1. Each version becomes known at ``knowledge_time + delay`` and can answer once its event has come: the later of both.
   (With one knowledge cut it is simply its event.)
2. Those instants and the questions are put on one line per entity, and the running maximum of the events of lasting
   facts is taken: one sort, whatever the number of revisions.
3. Facts that a tombstone does end stand for a while only. They are few: each question looks up those that stand at
   its instant, and the newer event of both is the answer.
4. The answer's values come from the version that wins that one fact at the cut.

A fact whose tombstone was itself revised is temporary up to the last tombstone, and lasting from then on.
"""

from __future__ import annotations

from vintner.bitemporal.model import KNOWLEDGE_TIME
from vintner.bitemporal.sql.layout import Cte, Join, Select, UnionAll, case, row_number, window
from vintner.bitemporal.sql.plan import Plan
from vintner.bitemporal.sql.spells import Spells, spells_of
from vintner.bitemporal.sql.table_reads import LAST_KNOWN, sentence

Answers = tuple[list[Cte], str]
"""The steps of a source, and the name of the one with its answers."""


def answers_by_own_time(plan: Plan) -> Answers:
    """Answer questions whose knowledge cut is their time, less the delay."""
    asked, spells = plan.step("asked"), spells_of(plan, withdrawals=True)
    line = _Line(plan, asked)
    until, withdrawn_at = spells.until, spells.withdrawn_at
    lasting = f"op = 'upsert' AND ({withdrawn_at} IS NULL OR knowledge_time >= {withdrawn_at})"
    known = plan.spell.later(KNOWLEDGE_TIME, plan.source.delay, field="delay")
    moments = line.moments(
        spells.name,
        at=f"greatest({known}, event_time)",
        lasting=lasting,
        where=[f"{until} IS NULL OR {until} > knowledge_time"],
    )
    standing = line.standing(moments.name)
    passing = _passing(plan, asked, spells)
    newest = _newer_of_both(plan, line, standing.name, passing.name)
    answers = line.answers(newest.name, spells.name, spells.winning(plan.known_to(newest.name)))
    return [plan.ask(asked), spells.step, moments, standing, passing, newest, answers], answers.name


def answers_at_one_cut(plan: Plan) -> Answers:
    """Answer questions that share one knowledge cut."""
    asked, known, rank = plan.step("asked"), plan.step("known"), plan.names.fresh("version_rank")
    line = _Line(plan, asked)
    facts = plan.facts
    ranked = Select(
        notes=["1. What was known at the cut.", f"2. {sentence(LAST_KNOWN)}"],
        columns=[*plan.carried, row_number(of=facts.fact, by=facts.newest_first(), name=rank)],
        source=facts.source,
        where=[f"knowledge_time <= {plan.known_to(asked)}", *plan.written()],
    )
    moments = line.moments(known, at="event_time", lasting="op = 'upsert'", where=[f"{rank} = 1"])
    standing = line.standing(moments.name)
    answers = line.answers(standing.name, known, [f"{known}.{rank} = 1"], where=[f"{line.is_question} = 1"])
    return [plan.ask(asked), Cte(known, ranked), moments, standing, answers], answers.name


class _Line:
    """The steps in which versions and questions lie on one line of time."""

    def __init__(self, plan: Plan, asked: str) -> None:
        self._plan, self._asked = plan, asked
        fresh = plan.names.fresh
        self.event = fresh("newest_event")
        self.has_version = fresh("has_version") if plan.source.reason is not None else None
        self.is_question = fresh("is_question")

    @property
    def columns(self) -> list[str]:
        return [self.event, *([] if self.has_version is None else [self.has_version])]

    def moments(self, versions: str, *, at: str, lasting: str, where: list[str]) -> Cte:
        """Put versions and questions on one line."""
        plan = self._plan
        name, has_version = plan.step("moments"), self.has_version
        keys = [f"{key} AS {own}" for key, own in zip(plan.facts.keys, plan.entity, strict=True)]
        seen, unseen = ([f"{flag} AS {has_version}"] if has_version else [] for flag in (1, 0))
        versions_on_line = Select(
            notes=["3. Where a fact begins to stand for good, or is known at all, and where a question is asked."],
            columns=[
                *keys,
                f"{at} AS {plan.at}",
                case([(lasting, "event_time")], name=self.event),
                *seen,
                f"0 AS {self.is_question}",
            ],
            source=versions,
            where=where,
        )
        questions = Select(columns=[*plan.question, "NULL", *unseen, "1"], source=self._asked)
        return Cte(name, UnionAll(versions_on_line, questions))

    def standing(self, moments: str) -> Cte:
        """Take the running maximum."""
        plan = self._plan
        body = Select(
            notes=["4. The newest lasting event so far; what begins at the instant of a question counts."],
            columns=[
                *plan.question,
                self.is_question,
                # The default frame: everything up to this instant, rows of the same instant too.
                *(window(f"max({each})", of=plan.entity, by=[plan.at], name=each) for each in self.columns),
            ],
            source=moments,
        )
        return Cte(plan.step("standing"), body)

    def answers(self, newest: str, versions: str, winning: list[str], where: list[str] | None = None) -> Cte:
        """Fetch the values of the newest event's winner."""
        plan = self._plan
        event, fresh = f"{newest}.{self.event}", plan.fresh(f"{newest}.{self.event}", newest)
        reason = []
        if self.has_version is not None:
            whens = [
                (f"{event} IS NULL AND {newest}.{self.has_version} = 1", "'deleted'"),
                (f"{event} IS NULL", "'never_known'"),
                *((f"NOT {each}", "'expired'") for each in fresh),
            ]
            reason = [case(whens, name=plan.spell.name(str(plan.source.reason)))]
        body = Select(
            notes=["5. Its values; an expired answer is no answer, never an older one."] if fresh else [],
            columns=[*(f"{newest}.{each}" for each in plan.question), *plan.outputs(f"{versions}.{{}}"), *reason],
            source=newest,
            joins=[
                Join(
                    table=versions,
                    on=[*plan.same_entity(versions, newest), f"{versions}.event_time = {event}", *winning, *fresh],
                    left=True,
                )
            ],
            where=where or [],
        )
        return Cte(plan.step("answers"), body)


def _passing(plan: Plan, asked: str, spells: Spells) -> Cte:
    """Look up the facts that stand at a question and are withdrawn later."""
    step, question = spells.name, [f"{asked}.{each}" for each in plan.question]
    body = Select(
        notes=["Facts that stand now and are withdrawn later: few, so each question looks them up."],
        columns=[*question, f"max({step}.event_time) AS event_time"],
        source=asked,
        joins=[
            Join(
                table=step,
                on=[
                    *plan.same_entity(step, asked),
                    f"{step}.op = 'upsert'",
                    f"{step}.knowledge_time < {step}.{spells.withdrawn_at}",
                    *spells.winning(plan.known_to(asked)),
                    f"{step}.event_time <= {asked}.{plan.at}",
                ],
            )
        ],
        group_by=question,
    )
    return Cte(plan.step("passing"), body)


def _newer_of_both(plan: Plan, line: _Line, standing: str, passing: str) -> Cte:
    lasting = f"{standing}.{line.event}"
    passes = f"{passing}.event_time > {lasting} OR {lasting} IS NULL"
    body = Select(
        columns=[
            *(f"{standing}.{each}" for each in plan.question),
            case([(passes, f"{passing}.event_time")], otherwise=lasting, name=line.event),
            *([] if line.has_version is None else [f"{standing}.{line.has_version}"]),
        ],
        source=standing,
        joins=[Join(table=passing, on=[f"{passing}.{each} = {standing}.{each}" for each in plan.question], left=True)],
        where=[f"{standing}.{line.is_question} = 1"],
    )
    return Cte(plan.step("newest"), body)
