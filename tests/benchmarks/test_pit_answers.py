"""The right answers are right: equal to the naive oracle; and the checker finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.pit.answers import AnswerShapeError, checksum, compare, conform
from benchmarks.pit.book import ChecksumMismatchError, recorded, right_answer
from benchmarks.pit.data import Data
from benchmarks.pit.queries import QUERIES, Kind, Query, Use, chosen
from benchmarks.pit.reference import reference
from benchmarks.pit.shapes import UnknownShapeError, shape_of
from tests.benchmarks.conftest import MakeData
from tests.property import oracle
from vintner.bitemporal import INSTANT

Rows = list[dict[str, Any]]


def by_name(query: Query) -> str:
    return query.name


@pytest.mark.parametrize("keys", ["one", "two"])
@pytest.mark.parametrize("query", QUERIES, ids=by_name)
def test_the_reference_equals_the_naive_oracle(query: Query, keys: str, make_data: MakeData) -> None:
    data = make_data(replace(shape_of("XS", keys=keys), scale="XXS", facts=150, spine=60, entities=4))
    schema, names = query.schema(data.shape), query.keys(data.shape)
    expected = conform(as_table(told(data, query), schema), schema, names)
    assert compare(reference(data, query), expected, names).is_right


def told(data: Data, query: Query) -> Rows:
    keys, use = data.shape.key_names, query.uses[0]
    rows = plain(data.facts(use.table))
    at, known = us(query.at), us(query.known_at)
    system = None if query.system_at is None else us(query.system_at)
    sources = [source(data, use) for use in query.uses]
    match query.kind:
        case Kind.JOIN:
            return oracle.as_of_join(plain(data.spine()), sources, system_at=system)
        case Kind.TRAILING:
            return oracle.trailing(plain(data.spine()), sources[0], last=query.last)
        case Kind.LATEST:
            return oracle.as_of(rows, at, known, ttl=span(use.ttl), keys=keys)
        case Kind.VINTAGE:
            return oracle.vintage(rows, known, keys=keys)
        case Kind.NEXT:
            return oracle.next_event(rows, at, known, keys=keys)
        case Kind.HISTORY:
            entity = data.entity(query.entity)
            mine = [row for row in rows if oracle.entity_of(row, keys) == entity]
            return oracle.visible(mine, None, None, keys)


def source(data: Data, use: Use) -> oracle.Source:
    limits: dict[str, Any] = {"ttl": span(use.ttl), "delay": span(use.delay), "keys": data.shape.key_names}
    return oracle.Source(rows=plain(data.facts(use.table)), columns=use.outputs, **limits)


def plain(table: pa.Table) -> Rows:
    whole = {name: table[name].cast(pa.int64()) for name in table.column_names if table[name].type == INSTANT}
    rows = pa.table({name: whole.get(name, table[name]) for name in table.column_names}).to_pylist()
    return [{**row, "record_id": ""} for row in rows]


def as_table(rows: Rows, schema: pa.Schema) -> pa.Table:
    def column(field: pa.Field) -> pa.Array:
        values = [row[field.name] for row in rows]
        return pa.array(values, pa.int64()).cast(INSTANT) if field.type == INSTANT else pa.array(values, field.type)

    return pa.table([column(field) for field in schema], schema=schema)


def us(moment: Any) -> int:
    whole: int = pa.scalar(moment, INSTANT).cast(pa.int64()).as_py()
    return whole


def span(length: Any) -> Any:
    return None if length is None else int(length.total_seconds() * 1_000_000)


@pytest.mark.parametrize("query", QUERIES, ids=by_name)
def test_the_book_knows_the_answers(query: Query, make_data: MakeData) -> None:
    data = make_data(shape_of("XS"))
    assert checksum(right_answer(data, query)) == recorded(data)[query.name]


def test_an_answer_that_is_not_in_the_book_is_told(make_data: MakeData, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(shape_of("XS"))
    monkeypatch.setattr("benchmarks.pit.book.recorded", lambda _: {"Q4": "0" * 16})
    with pytest.raises(ChecksumMismatchError) as caught:
        right_answer(data, chosen(["Q4"])[0])
    assert caught.value.data["what"] == "Q4"


def test_a_query_that_is_not_there_is_told() -> None:
    with pytest.raises(UnknownShapeError):
        chosen(["Q10"])


SCHEMA = pa.schema([("row", pa.int64()), ("value", pa.float64()), ("last", pa.list_(pa.int64()))])
RIGHT: Rows = [
    {"row": 0, "value": 1.5, "last": [1, None]},
    {"row": 1, "value": None, "last": []},
    {"row": 2, "value": float("nan"), "last": [3]},
]


def changed(at: int, /, **values: Any) -> Rows:
    return [{**one, **values} if one["row"] == at else one for one in RIGHT]


@pytest.mark.parametrize(
    ("found", "cells", "wrong"),
    [
        (RIGHT, 6, 0),
        (RIGHT[::-1], 6, 0),
        (changed(2, value=-float("nan")), 6, 0),
        (changed(0, value=1.5 + 2**-50), 6, 1),
        (changed(1, value=0.0), 6, 1),
        (changed(0, value=None), 6, 1),
        (changed(0, last=[1, 0]), 6, 1),
        (changed(0, last=[1]), 6, 1),
        (changed(1, last=None), 6, 1),
        (changed(2, last=[4], value=None), 6, 2),
        (RIGHT[1:], 6, 2),
        ([*RIGHT, {"row": 9, "value": 0.0, "last": []}], 8, 2),
        (changed(2, row=7), 8, 4),
        ([], 6, 6),
    ],
)
def test_the_checker_counts_wrong_cells(found: Rows, cells: int, wrong: int) -> None:
    right, answer = (conform(pa.Table.from_pylist(rows, SCHEMA), SCHEMA, ["row"]) for rows in (RIGHT, found))
    verdict = compare(answer, right, ["row"])
    assert (verdict.cells, verdict.wrong, verdict.is_right) == (cells, wrong, wrong == 0)
    assert (verdict.checksum == checksum(right)) == (wrong == 0)


@pytest.mark.parametrize(
    "broken",
    [
        lambda table: table.drop_columns(["value"]),
        lambda table: table.set_column(1, "value", pa.array(["a", "b", "c"])),
    ],
)
def test_an_answer_of_another_form_is_refused(broken: Callable[[pa.Table], pa.Table]) -> None:
    with pytest.raises(AnswerShapeError) as caught:
        conform(broken(pa.Table.from_pylist(RIGHT, SCHEMA)), SCHEMA, ["row"])
    assert caught.value.data["column"] == "value"
