"""How the demonstration asks, compares, plants leaks and judges."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from local.demo.ask import FEATURES, AthenaPath, LibraryPath
from local.demo.checks import check_audit, check_records
from local.demo.compare import Answer, differences, same
from local.demo.errors import AnswerPathError, StoryImpossibleError
from local.demo.leaks import audit, plant
from local.demo.macro import macro_answer, picture_of
from local.demo.model import MacroQuestion
from local.demo.plot import draw
from local.demo.report import Audit, BadLine, Counts, Trouble
from vintner.bitemporal.model import INSTANT
from vintner.lake import Revision
from vintner.lake.model import Dataset
from vintner.marketdata import MACRO_SERIES

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


class MemoryReader:
    """Facts of all datasets, from rows written short."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        self._rows = rows

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[str] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Revision | None = None,
    ) -> pa.Table:
        common = {"revision_seq": 0, "op": "upsert", "ingested_at": NOW, "source": "t", "record_id": "t"}
        rows = [common | row for row in self._rows.get(dataset.name, [])]
        table = pa.Table.from_pylist(rows, schema=dataset.schema)
        if entities is not None:
            table = table.filter(pc.is_in(table["entity"], value_set=pa.array(list(entities), pa.string())))
        bound = known_to or NOW
        return table.filter(pc.less_equal(table["knowledge_time"], pa.scalar(bound, INSTANT)))


@pytest.fixture(scope="module")
def reader() -> MemoryReader:
    prices = [
        {"entity": symbol, "event_time": day(2020, month, 25), "knowledge_time": day(2020, month, 25), "close": close}
        for symbol in ("A", "B")
        for month, close in ((1, 10.0), (2, 11.0), (3, 11.0), (4, 12.0))
    ]
    gdp = [
        {"entity": "uk.gdpkp", "event_time": event, "knowledge_time": known, "revision_seq": seq, "value": value}
        for event, known, seq, value in (
            (day(2019, 9, 30), day(2019, 11, 1), 0, 100.0),
            (day(2019, 9, 30), day(2021, 1, 1), 1, 103.0),
            (day(2019, 12, 31), day(2020, 3, 15), 0, 101.0),
            (day(2019, 12, 31), day(2021, 1, 1), 1, 110.0),
        )
    ]
    return MemoryReader({"prices_daily": prices, "macro_series": gdp})


@pytest.fixture(scope="module")
def question() -> MacroQuestion:
    return MacroQuestion(entity="uk.gdpkp", title="GDP", unit="%", event=day(2019, 12, 31), previous=day(2019, 9, 30),
                         measure="growth", known_at=(day(2020, 3, 15), day(2020, 6, 1)))  # fmt: skip


DECISIONS = [day(2020, 1, 31), day(2020, 2, 29), day(2020, 3, 31), day(2020, 4, 30)]


def test_equal_means_equal_bits_and_equal_types() -> None:
    assert same(float("nan"), float("nan"))
    assert not same(0.1 + 0.2, 0.3)
    assert not same(0.0, -0.0)
    assert not same(1, True)
    assert not same(None, 0.0)


def test_a_row_that_one_side_lacks_differs_in_all_its_cells() -> None:
    one = Answer.of(["k", "a", "b"], [["x", 1.0, None], ["y", 2.0, 3.0]], keys=["k"])
    two = Answer.of(["k", "a", "b"], [["x", 1.0, None], ["z", 2.0, 3.0]], keys=["k"])
    assert len(differences(one, two)) == 4
    assert differences(one, one) == []
    with pytest.raises(ValueError, match="share a key"):
        Answer.of(["k", "a"], [["x", 1.0], ["x", 2.0]], keys=["k"])
    with pytest.raises(ValueError, match="columns"):
        differences(one, Answer.of(["k", "a"], [], keys=["k"]))


def test_growth_is_of_two_levels_known_together(reader: MemoryReader, question: MacroQuestion) -> None:
    library = LibraryPath(reader)
    early = macro_answer(question, library.series("uk.gdpkp", question.known_at[0]), question.known_at[0])
    late = macro_answer(question, library.series("uk.gdpkp", NOW), NOW)
    assert (early.level, early.previous, round(early.answer, 6)) == (101.0, 100.0, 1.0)
    assert late.answer == (110.0 / 103.0 - 1.0) * 100.0
    too_early = day(2020, 1, 1)
    with pytest.raises(StoryImpossibleError, match="was not known"):
        macro_answer(question, library.series("uk.gdpkp", too_early), too_early)


def test_the_picture_has_each_periods_first_print(
    reader: MemoryReader, question: MacroQuestion, tmp_path: Path
) -> None:
    picture = picture_of(question, reader.read(MACRO_SERIES), NOW)
    assert (picture.periods, picture.known_at) == ([question.event], [day(2020, 3, 15), day(2021, 1, 1)])
    assert [round(value, 6) for value in picture.first] == [1.0]
    assert picture.latest == [picture.as_known[-1]]
    draw(picture, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_planted_leaks_are_where_a_cell_really_changes(reader: MemoryReader) -> None:
    table = LibraryPath(reader).table(["A", "B"], DECISIONS)
    leaky = plant(table, reader.read(MACRO_SERIES), NOW)
    # The close changes from January to February and from March to April; GDP in the first half of the decisions.
    assert leaky.planted.total() == 2 * 2 + 2 * 2
    assert leaky.planted["A", day(2020, 1, 31), "close"] == 1
    assert leaky.planted["A", day(2020, 2, 29), "close"] == 0
    assert leaky.planted["uk.gdpkp", day(2020, 1, 31), "uk_gdp"] == 2
    assert leaky.table["uk_gdp"].to_pylist()[:2] == [103.0, 103.0]


def test_the_audit_finds_them_all_and_nothing_else(reader: MemoryReader) -> None:
    audited = audit(LibraryPath(reader).table(["A", "B"], DECISIONS), reader, now=NOW)
    assert (audited.cells, audited.findings) == (2 * 4 * len(FEATURES), 0)
    assert (audited.planted, audited.found, audited.missed, audited.false_alarms) == (8, 8, 0, 0)
    assert any("nobody knew until 2020-02-25" in example for example in audited.examples)


class Athena:
    """Answers one query with given pages, or fails it."""

    def __init__(self, rows: list[list[str | None]], *, state: str = "SUCCEEDED", types: tuple[str, ...] = ()) -> None:
        self.rows, self.state, self.types = rows, state, types
        self.asked: dict[str, Any] = {}
        self._polls = itertools.count()

    def start_query_execution(self, **asked: Any) -> dict[str, str]:
        self.asked = asked
        return {"QueryExecutionId": "q"}

    def get_query_execution(self, **_: str) -> dict[str, Any]:
        state = "RUNNING" if next(self._polls) == 0 else self.state
        return {"QueryExecution": {"Status": {"State": state, "StateChangeReason": "line 1:1: no such thing"}}}

    def get_paginator(self, _: str) -> Athena:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        names = ("event_time", "knowledge_time", "revision_seq", "value")
        info = [{"Name": name, "Type": kind} for name, kind in zip(names, self.types, strict=True)]
        rows: list[list[str | None]] = [[*names], *self.rows]
        data = [[{} if cell is None else {"VarCharValue": cell} for cell in row] for row in rows]
        pages = [data[:2], data[2:]]
        return [{"ResultSet": {"ResultSetMetadata": {"ColumnInfo": info}, "Rows": [{"Data": row} for row in page]}}
                for page in pages]  # fmt: skip


TYPES = ("timestamp with time zone", "timestamp with time zone", "bigint", "double")


def test_athena_answers_are_read_by_their_types() -> None:
    first: list[str | None] = [
        "2019-09-30 00:00:00.000000 UTC",
        "2019-11-01 00:00:00.000 UTC",
        "0",
        "0.30000000000000004",
    ]
    client = Athena([first, ["2019-12-31 00:00:00.000000 UTC", "2020-03-15 00:00:00.000 UTC", "1", None]], types=TYPES)
    path = AthenaPath(client, workgroup="w", database="d")
    answer = path.series("it's", day(2020, 6, 1))
    assert answer.rows == {
        (day(2019, 9, 30),): (day(2019, 11, 1), 0, 0.1 + 0.2), (day(2019, 12, 31),): (day(2020, 3, 15), 1, None),
    }  # fmt: skip
    assert client.asked["ExecutionParameters"] == ["'it''s'", "'2020-06-01 00:00:00.000000 UTC'"]
    assert (client.asked["WorkGroup"], client.asked["QueryExecutionContext"]) == ("w", {"Database": "d"})


def test_a_failed_query_is_told_with_its_reason() -> None:
    path = AthenaPath(Athena([], state="FAILED", types=TYPES), workgroup="w", database="d")
    with pytest.raises(AnswerPathError, match=r"Athena SQL.*no such thing"):
        path.series("x", NOW)


def counts(**changes: int) -> Counts:
    return Counts(**({"sent": 10, "kept": 7, "duplicates": 2, "quarantined": 1} | changes))


def trouble(*, late_kept: int = 3, quarantined: bool = True) -> Trouble:
    bad = (BadLine(kind="k", rule="r", quarantined=quarantined, remedy="m"),)
    return Trouble(duplicates=2, late=3, late_kept=late_kept, moved_batches=1, bad=bad)


@pytest.mark.parametrize(
    ("failing", "records", "made"),
    [
        (None, counts(), trouble()),
        (0, counts(kept=6), trouble()),
        (1, counts(duplicates=1, kept=8), trouble()),
        (2, counts(), trouble(late_kept=2)),
        (3, counts(), trouble(quarantined=False)),
    ],
)
def test_each_check_fails_for_its_own_reason(failing: int | None, records: Counts, made: Trouble) -> None:
    assert [check.passed for check in check_records(records, made)] == [place != failing for place in range(4)]


def test_an_audit_that_planted_nothing_proves_nothing() -> None:
    nothing = Audit(cells=4, findings=0, planted=0, found=0, missed=0, false_alarms=0, examples=())
    assert [check.passed for check in check_audit(nothing)] == [True, False]
