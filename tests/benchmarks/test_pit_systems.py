"""Every system runs; those that know three clocks are right everywhere, and the plain joins are found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.pit.__main__ import main
from benchmarks.pit.adapters import (
    ADAPTERS,
    Answer,
    CannotAnswerError,
    SystemNotHereError,
    UnknownSystemError,
    adapters,
)
from benchmarks.pit.adapters.in_feast import is_installed
from benchmarks.pit.book import right_answer
from benchmarks.pit.data import Data
from benchmarks.pit.queries import QUERIES, Query, chosen
from benchmarks.pit.runner import run_benchmark
from benchmarks.pit.shapes import shape_of
from tests.benchmarks.conftest import MakeData

RIGHT = ("vintner", "vintner-sql", "polars", "duckdb")
PLAIN = ("polars-plain", "duckdb-plain")


@pytest.mark.parametrize("system", RIGHT)
def test_a_system_that_knows_three_clocks_is_right(system: str, data: Data) -> None:
    outcome = run_benchmark(data, adapters([system]), QUERIES, repeats=1)
    answered = [run for run in outcome.runs if run.verdict is not None]
    assert [run.query for run in answered if run.verdict and not run.verdict.is_right] == []
    assert [run.query for run in outcome.runs if run.reason] == []
    assert all(run.timing is not None and len(run.timing.seconds) == 1 for run in answered)


@pytest.mark.parametrize("system", PLAIN)
def test_a_plain_join_is_found_out(system: str, data: Data) -> None:
    outcome = run_benchmark(data, adapters([system]), chosen(["Q1", "Q2", "Q3", "Q7", "Q8"]), repeats=1)
    shares = {run.query: run.verdict.share for run in outcome.runs if run.verdict}
    assert set(shares) == {"Q1", "Q2", "Q3", "Q7"}
    assert all(0.1 < share < 0.9 for share in shares.values())
    assert [run.query for run in outcome.runs if run.reason] == ["Q8"]


@pytest.mark.skipif(not is_installed(), reason="Feast's environment is made by the command: benchmarks.pit run")
def test_feast_answers_what_it_can(make_data: MakeData) -> None:
    outcome = run_benchmark(
        make_data(shape_of("XS")), adapters(["feast-created"]), chosen(["Q1", "Q4", "Q6"]), repeats=1
    )
    joined, vintage, latest = outcome.runs
    # It has no revision number, so of two versions known at one instant it takes either.
    assert joined.verdict
    assert joined.verdict.share < 0.01
    assert vintage.reason
    assert latest.verdict


class Teller:
    """Answers with the right answer, spoiled as it is told."""

    name: ClassVar[str] = "teller"
    about: ClassVar[str] = "for this test"
    spoil: ClassVar[bool] = False

    def prepare(self, data: Data) -> None:
        self._data = data

    def run(self, query: Query) -> Answer:
        if query.name == "Q9":
            raise CannotAnswerError(reason="no calendar")
        answer = right_answer(self._data, query)
        return Answer(answer.slice(1) if self.spoil else answer, seconds=2.5)

    def close(self) -> None:
        del self._data


class Spoiler(Teller):
    spoil: ClassVar[bool] = True


class Absent(Teller):
    def prepare(self, data: Data) -> None:
        raise SystemNotHereError(system="Absent", reason="it is absent")


def test_the_runner_checks_every_answer_and_believes_a_systems_own_clock(data: Data) -> None:
    right, none = run_benchmark(data, [Teller], chosen(["Q1", "Q9"]), repeats=2).runs
    assert right.verdict
    assert right.timing
    assert (right.verdict.is_right, right.timing.seconds) == (True, (2.5, 2.5))
    assert none.as_dict() == {"system": "teller", "query": "Q9", "reason": "no calendar"}
    (wrong,) = run_benchmark(data, [Spoiler], chosen(["Q1"]), repeats=1).runs
    assert wrong.as_dict()["right"] is False
    assert wrong.as_dict()["wrong_share"] == 1 / data.shape.spine


def test_a_system_that_is_not_here_is_told(data: Data) -> None:
    (run,) = run_benchmark(data, [Absent], chosen(["Q1"]), repeats=1).runs
    assert "it is absent" in run.reason


def test_an_unknown_system_is_told() -> None:
    with pytest.raises(UnknownSystemError) as caught:
        adapters(["oracle"])
    assert caught.value.data["known"] == ", ".join(ADAPTERS)


def test_the_command_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--scale", "XS", "--folder", str(tmp_path), "--queries", "Q1"]
    assert main(["run", *options, "--systems", "vintner", "polars-plain", "--repeats", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["right"] for run in document["details"]["runs"]] == [True, False]
    assert main(["run", *options, "--systems", "polars-plain", "--repeats", "1"]) == 0
    assert "wrong" in capsys.readouterr().out


def test_answers_of_another_system_are_checked_from_files(
    tmp_path: Path, data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = data.shape
    options = ["check", "--scale", "XS", "--keys", shape.keys, "--skew", str(shape.skew), "--queries", "Q4"]
    where = ["--folder", str(data.folder.parent), "--answers", str(tmp_path)]
    assert main([*options, *where]) == 1
    answer = right_answer(data, chosen(["Q4"])[0])
    pq.write_table(answer, tmp_path / "Q4.parquet")
    assert main([*options, *where]) == 0
    spoiled = pa.array([7] * answer.num_rows)
    pq.write_table(answer.set_column(answer.num_columns - 1, "count", spoiled), tmp_path / "Q4.parquet")
    assert main([*options, *where]) == 1
    told = capsys.readouterr().out
    assert "no answer" in told
    assert "Q4 right" in told
    assert "of the cells are wrong" in told


def test_an_error_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--scale", "XS", "--systems", "nobody"]) == 2
    assert "there is no adapter for 'nobody'" in capsys.readouterr().err
