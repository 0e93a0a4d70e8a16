"""Asking both engines behind the Athena endpoint, and telling where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from local.athena import Cancellation, SqlEngine, Statement, StatementKind
from local.athena.errors import AthenaRequestError, StatementFailedError
from local.athena.results import ResultSet

_BATCH: Final = 40
_THREADS: Final = 3

Cells = tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said: rows, or the code of its refusal with the message."""

    rows: Cells = ()
    refusal: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.refusal}: {self.message}" if self.refusal else str(list(self.rows))

    @property
    def is_ours_to_refuse(self) -> bool:
        """Whether the engine said that it will not guess."""
        return self.refusal in ("NOT_SUPPORTED", "FUNCTION_NOT_FOUND")


def ask(engine: SqlEngine, text: str, database: str = "default") -> Answer:
    """Ask one engine."""
    statement = Statement(text=text, kind=StatementKind.QUERY, database=database)
    try:
        engine.check(statement)
        result = ResultSet.from_engine(engine.run(statement, Cancellation()))
    except StatementFailedError as error:
        return Answer(refusal=str(error.data["code"]), message=str(error.data["message"]))
    except AthenaRequestError as error:
        return Answer(refusal=error.code, message=str(error))
    return Answer(rows=tuple(tuple(row) for row in result.rows))


def difference(ours: Answer, trinos: Answer) -> str | None:
    """Return how two answers differ, or None: they may both refuse, and ours may say that it will not guess."""
    if ours.is_ours_to_refuse or (ours.refusal and trinos.refusal) or ours == trinos:
        return None
    return f"DuckDB says {ours}\n  Trino  says {trinos}"


def differing(ours: SqlEngine, trino: SqlEngine, expressions: Sequence[str]) -> Iterator[str]:
    """Yield each expression that the engines evaluate differently, with both answers.

    Our engine is asked about one at a time. Those it answers are put to Trino many in one query, which is taken apart
    when Trino refuses it; those it refuses are put to Trino one by one.
    """
    said = {expression: ask(ours, f"SELECT {expression}") for expression in dict.fromkeys(expressions)}
    answered = [each for each, answer in said.items() if not answer.refusal]
    refused = [each for each, answer in said.items() if answer.refusal and not answer.is_ours_to_refuse]
    batches = [answered[at : at + _BATCH] for at in range(0, len(answered), _BATCH)]
    with ThreadPoolExecutor(_THREADS) as pool:
        trinos: dict[str, Answer] = {}
        for some in pool.map(lambda batch: _ask_all(trino, batch), batches):
            trinos |= some
        trinos |= zip(refused, pool.map(lambda each: ask(trino, f"SELECT {each}"), refused), strict=True)
    for each, answer in trinos.items():
        if told := difference(said[each], answer):
            yield f"{each}\n  {told}"


def _ask_all(engine: SqlEngine, expressions: Sequence[str]) -> dict[str, Answer]:
    answer = ask(engine, f"SELECT {', '.join(expressions)}")
    if not answer.refusal:
        (row,) = answer.rows
        return {each: Answer(rows=((cell,),)) for each, cell in zip(expressions, row, strict=True)}
    if len(expressions) == 1:
        return {expressions[0]: answer}
    half = len(expressions) // 2
    return _ask_all(engine, expressions[:half]) | _ask_all(engine, expressions[half:])
