"""Runs queries on systems: prepares, times, checks every answer; a wrong one is told beside its time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa

from benchmarks.measure import Timing
from benchmarks.pit.adapters import Adapter, CannotAnswerError, SystemNotHereError
from benchmarks.pit.answers import AnswerShapeError, Verdict, compare, conform
from benchmarks.pit.book import right_answer
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Query

_PATIENCE: Final = 30.0
"""A query that took this many seconds in all is not repeated again."""


@dataclass(frozen=True, slots=True)
class Run:
    """One query on one system.

    Parameters
    ----------
    system, query
        Their names.
    timing
        How long it took each time; None if it has no answer.
    verdict
        How the answer compares with the right one; None if it has no answer.
    reason
        Why there is no answer.
    """

    system: str
    query: str
    timing: Timing | None = None
    verdict: Verdict | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a document."""
        found: dict[str, Any] = {"system": self.system, "query": self.query}
        if self.timing is None or self.verdict is None:
            return found | {"reason": self.reason}
        right = {"right": self.verdict.is_right, "wrong_share": self.verdict.share}
        return found | {"seconds": self.timing.as_dict()} | asdict(self.verdict) | right


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark run found: per system how long it took to prepare, and every run."""

    prepared: dict[str, float]
    runs: list[Run]


def run_benchmark(
    data: Data,
    systems: Sequence[type[Adapter]],
    queries: Sequence[Query],
    *,
    repeats: int,
    on_step: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Measure systems on a data set, one after the other, each alone in memory.

    Parameters
    ----------
    data
        A generated data set.
    systems, queries
        What to run.
    repeats
        How many times a query is timed, after one time that is not kept and whose answer is checked. A slow query is
        timed less often.
    on_step
        Told "system query" after each.
    """
    outcome = Outcome({}, [])
    for system in systems:
        try:
            with _prepared(system, data, outcome.prepared) as adapter:
                for query in queries:
                    outcome.runs.append(measure(adapter, data, query, repeats))
                    on_step(f"{system.name} {query.name}")
        except SystemNotHereError as error:
            outcome.runs.extend(Run(system.name, query.name, reason=str(error)) for query in queries)
    return outcome


def measure(adapter: Adapter, data: Data, query: Query, repeats: int) -> Run:
    """Run a query on a prepared system; check the first answer, and time the others."""
    seconds: list[float] = []
    try:
        table, first = _timed(adapter, query)
        form = query.schema(data.shape), query.keys(data.shape)
        verdict = compare(conform(table, *form), right_answer(data, query), form[1])
        del table
        while len(seconds) < repeats and first + sum(seconds) < _PATIENCE:
            seconds.append(_timed(adapter, query)[1])
    except (CannotAnswerError, AnswerShapeError) as error:
        return Run(adapter.name, query.name, reason=str(error))
    return Run(adapter.name, query.name, Timing(tuple(seconds or [first])), verdict)


@contextmanager
def _prepared(system: type[Adapter], data: Data, prepared: dict[str, float]) -> Iterator[Adapter]:
    adapter = system()
    started = time.perf_counter()
    adapter.prepare(data)
    prepared[system.name] = time.perf_counter() - started
    try:
        yield adapter
    finally:
        adapter.close()
        gc.collect()


def _timed(adapter: Adapter, query: Query) -> tuple[pa.Table, float]:
    gc.collect()
    started = time.perf_counter()
    answer = adapter.run(query)
    took = time.perf_counter() - started
    return answer.table, took if answer.seconds is None else answer.seconds
