"""The asking act: the same questions on three paths, then the online store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from local.demo.ask import AnswerPath, ApiPath, LibraryPath
from local.demo.compare import Answer, differences
from local.demo.macro import macro_answer
from local.demo.model import Material
from local.demo.report import MacroStory, Online, PathLine
from local.demo.screen import Screen
from vintner.bitemporal import history
from vintner.lake import FactReader
from vintner.marketdata import MACRO_SERIES

CATCH_UP_S: Final = 20.0
"""The online store is written after the lake; so long it may take to have the last batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The answers, and how the paths compare."""

    macro: MacroStory
    paths: tuple[PathLine, ...]


def ask_all(material: Material, paths: Sequence[AnswerPath], screen: Screen, reader: FactReader) -> Asked:
    """Ask every path every question; the first path is what the others are compared with."""
    today = datetime.now(UTC)
    cuts = [*material.macro.known_at, today]
    questions: dict[str, Callable[[AnswerPath], list[Answer]]] = {
        f"{material.macro.entity} as known at {len(cuts)} dates": lambda path: [
            path.series(material.macro.entity, at) for at in cuts
        ],
        f"{len(material.symbols)} symbols at {len(material.decisions)} month ends": lambda path: [
            path.features(material.symbols, material.decisions)
        ],
    }
    lines: list[PathLine] = []
    given: dict[str, list[Answer]] = {}
    for question, ask in questions.items():
        for path in paths:
            with screen.step(f"{question}, asked by {path.name}"):
                started = time.monotonic()
                answers = ask(path)
                seconds = time.monotonic() - started
            expected = given.setdefault(question, answers)
            lines.append(_line(question, path.name, expected, answers, seconds))
    series = next(iter(given.values()))
    return Asked(macro=_macro_story(material, cuts, series, reader), paths=tuple(lines))


def ask_online(material: Material, api: ApiPath, library: LibraryPath) -> Online:
    """Compare what the online store serves with what the lake knows now, until they agree or time is up."""
    started = time.monotonic()
    while True:
        now = datetime.now(UTC)
        served = api.online(material.symbols)
        known = library.features(material.symbols, [now])
        expected = Answer(columns=known.columns, rows={(symbol,): row for (symbol, _), row in known.rows.items()})
        unlike = differences(expected, served)
        waited = time.monotonic() - started
        if not unlike or waited > CATCH_UP_S:
            return Online(
                symbols=len(material.symbols),
                cells=expected.cells,
                differing=len(unlike),
                seconds=round(waited, 3),
            )


def _line(question: str, path: str, expected: Sequence[Answer], found: Sequence[Answer], seconds: float) -> PathLine:
    pairs = list(zip(expected, found, strict=True))
    is_reference = expected is found
    return PathLine(
        question=question,
        path=path,
        rows=sum(len(answer.rows) for answer in found),
        cells=0 if is_reference else sum(one.cells for one, _ in pairs),
        differing=sum(len(differences(one, other)) for one, other in pairs),
        seconds=round(seconds, 3),
    )


def _macro_story(
    material: Material, cuts: Sequence[datetime], series: Sequence[Answer], reader: FactReader
) -> MacroStory:
    question = material.macro
    answers = [macro_answer(question, answer, at) for at, answer in zip(cuts, series, strict=True)]
    facts = reader.read(MACRO_SERIES, entities=[question.entity])
    return MacroStory(
        entity=question.entity,
        title=question.title,
        period=question.period,
        measure=question.measure,
        unit=question.unit,
        as_known=tuple(answers[:-1]),
        today=answers[-1],
        versions=history(facts, entity=question.entity, event_time=question.event).num_rows,
    )
