"""What every engine must pass. Each check is a function of an engine or of a runner, for pytest to parametrise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final

from tests.behaviour import golden
from tests.behaviour.engines import Engine
from tests.behaviour.questions import Join, Read, Trailing, few_for_many, thrown
from tests.behaviour.tables import bits
from tests.behaviour.worlds import CASE, Dice, World, packed, split, world
from tests.property.oracle import Row

SEED: Final = 20240502


def check_thrown_world(engine: Engine, random: Random) -> None:
    """Throw one world and one read of each kind; the engine answers as the oracle does, bit by bit."""
    dice = Dice(random=random, finest_span=engine.finest_span)
    keys = ("entity", "venue") if dice.chance(3) else ("entity",)
    one = world(dice, keys=keys)
    engine.enter(one)
    for read in thrown(dice, one):
        difference = compare(one, read, engine.answer(read))
        assert difference is None, f"{engine.name} differs from the oracle\n{difference}"


def check_worked_example(engine: Engine) -> None:
    """Answer every read of the worked example as it is written down."""
    engine.enter(golden.WORLD)
    wrong = []
    for read, column, values in golden.TOLD:
        answer = [row[column] for row in engine.answer(read)]
        if answer != values:
            wrong.append(f"{read}\n  {column} should be {values}\n  and is        {answer}")
    assert not wrong, f"{engine.name} and the worked example\n" + "\n".join(wrong)


def check_many_worlds(engine: Engine, *, worlds: int = 200, seed: int = SEED) -> None:
    """Ask about many worlds at once, packed into one: few statements, for engines that take their time with each."""
    dice = Dice(random=Random(seed), finest_span=engine.finest_span)  # noqa: S311 - seeded dice
    many = packed([world(dice, keys=("entity", "venue")) for _ in range(worlds)])
    cases = split(many)
    engine.enter(many)
    reads = few_for_many(dice, many)
    wrong = [difference for read in reads if (difference := differing_case(cases, read, engine.answer(read)))]
    assert not wrong, f"{engine.name} differs from the oracle in {len(wrong)} reads\n" + "\n\n".join(wrong)


def differing_case(cases: Mapping[str, World], read: Read, answer: Sequence[Row]) -> str | None:
    """Return the smallest case about which an answer and the oracle differ, told in full."""
    by_case: dict[str, list[Row]] = {case: [] for case in cases}
    for row in answer:
        by_case.setdefault(row[CASE], []).append(row)
    told = [difference for case, one in cases.items() if (difference := compare(one, read, by_case[case]))]
    if told:
        return min(told, key=len)
    # The case is the first of the keys, so answers are sorted by it, and the rows of a join are numbered so.
    in_order = [row[CASE] for row in answer] == [case for case, rows in by_case.items() for _ in rows]
    return None if in_order else f"read      {read}\nThe cases agree one by one; the order between them does not"


def compare(asked: World, read: Read, answer: Sequence[Row]) -> str | None:
    """Return how an answer differs from the oracle's, with the rows that were asked, or None."""
    expected = read.expected(asked)
    if [bits(row) for row in answer] == [bits(row) for row in expected]:
        return None
    used = {source.table for source in _sources(read)} or {0}
    lines = [f"read      {read}"]
    for number in sorted(used):
        lines += _shown(f"facts {number}", asked.facts[number])
    if isinstance(read, Join | Trailing):
        lines += _shown("spine", asked.spine)
    lines += [*_shown("expected", expected), *_shown("answered", answer)]
    return "\n".join(lines)


def _sources(read: Read) -> Iterable[Any]:
    if isinstance(read, Join):
        return read.sources
    return [read.source] if isinstance(read, Trailing) else []


def _shown(title: str, rows: Sequence[Row]) -> list[str]:
    return [f"{title:9} {row}" for row in rows] or [f"{title:9} nothing"]
