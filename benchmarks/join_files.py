"""Joins files in a process of its own, and holds its answers against the slow reference."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import dataset

from benchmarks.measure import in_fresh_process
from benchmarks.pit.data import Data
from benchmarks.pit.reference import newest_known
from vintner.errors import VintnerError

_SAMPLED: Final = 7


class WrongAnswerError(VintnerError):
    """What was about to be timed is not right."""

    template = "{wrong} of {rows} sampled answers of {what} differ from the reference; a wrong answer is not timed"


def join_alone(data: Data, how: str, *more: str) -> dict[str, Any]:
    """Run :mod:`benchmarks.one_join` over all tables of a data set in a fresh process, and return what it found."""
    return in_fresh_process(
        "benchmarks.one_join", str(data.folder), "--tables", *data.shape.tables, "--how", how, *more
    )


def check_join(data: Data, how: str) -> dict[str, Any]:
    """Run the join, hold the answers of some entities against the reference, and return what the run found.

    Raises
    ------
    WrongAnswerError
    """
    step = max(1, data.shape.entities // _SAMPLED)
    names = [str(data.entity(number)[0]) for number in range(0, data.shape.entities, step)]
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.parquet"
        found = join_alone(data, how, "--sample", str(sample), "--of", *names)
        answer = pq.read_table(sample)
    for table in data.shape.tables:
        facts = dataset.dataset(data.folder / table).to_table(filter=dataset.field("entity").isin(names))
        hold(f"{table}, {how}", answer, facts, f"{table}_value")
    return found


def hold(what: str, answer: pa.Table, facts: pa.Table, column: str) -> None:
    """Hold the answers in a column against the reference: the newest ``value`` as known at each row's time.

    Raises
    ------
    WrongAnswerError
    """
    right = newest_known(answer, facts, "value", ("entity",)).to_pylist()
    wrong = sum(a != b for a, b in zip(answer[column].to_pylist(), right, strict=True))
    if wrong or not answer.num_rows:
        raise WrongAnswerError(wrong=wrong, rows=answer.num_rows, what=what)
