"""The digest of a table: layout does not count, cells do, and a difference is found by column and block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.bitemporal.content import block_rows, content_hash, content_of

EVERY_TYPE = pa.table(
    {
        "integer": pa.array([1, None, 3, 4, 5], pa.int32()),
        "float": [1.0, None, float("nan"), -0.0, 2.0],
        "text": ["a", None, "", "bé", "c"],
        "flag": [True, None, False, True, True],
        "bytes": [b"a", None, b"", b"x", b"y"],
        "fixed": pa.array([b"ab", None, b"cd", b"ef", b"gh"], pa.binary(2)),
        "money": pa.array([Decimal("1.10"), None, None, Decimal(2), Decimal(3)], pa.decimal128(10, 2)),
        "instant": pa.array([datetime(2020, 1, day, tzinfo=UTC) for day in range(1, 6)], pa.timestamp("us", tz="UTC")),
        "day": [date(2020, 1, 1), None, date(1, 1, 1), date(2020, 1, 2), None],
        "span": [timedelta(days) for days in range(5)],
        "list": [[1, 2], None, [], [None], [3]],
        "pair": pa.array([[1, 2], None, [3, 4], [5, None], [6, 7]], pa.list_(pa.int64(), 2)),
        "map": pa.array([[("a", 1)], None, [], [("b", None)], [("c", 2)]], pa.map_(pa.string(), pa.int64())),
        "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 1, "b": None}, {"a": 2, "b": "z"}],
        "nothing": pa.nulls(5),
    }
)


def recast(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))


LAYOUTS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "in chunks": lambda table: pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)]),
    "as a slice": lambda table: pa.concat_tables([table, table]).combine_chunks().slice(5, 5),
    "as a dictionary": lambda table: table.set_column(2, "text", table["text"].dictionary_encode()),
    "as large strings": recast("text", pa.large_string()),
    "as string views": recast("text", pa.string_view()),
    "as large lists": recast("list", pa.large_list(pa.int64())),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_count(layout: str) -> None:
    assert content_of(LAYOUTS[layout](EVERY_TYPE)) == content_of(EVERY_TYPE)


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    table = EVERY_TYPE.drop_columns(["pair"])
    pq.write_table(table, tmp_path / "table.parquet", use_dictionary=["text"], row_group_size=2, compression="zstd")
    assert content_hash(pq.read_table(tmp_path / "table.parquet")) == content_hash(table)


def test_the_digest_is_what_it_was() -> None:
    # A manifest outlives the code that made it: this digest may never change.
    table = pa.table({"symbol": ["A", None], "close": [1.5, -0.0]})
    digest = "65d8959589258c5c2985853ae2ec9caa17b648d7342040b03a236af0509f9555"  # pragma: allowlist secret
    assert content_hash(table) == digest


@pytest.mark.parametrize("name", [name for name in EVERY_TYPE.column_names if name != "nothing"])
def test_every_cell_counts(name: str) -> None:
    turned = EVERY_TYPE[name].take(pa.array([1, 2, 3, 4, 0]))
    before = content_of(EVERY_TYPE)
    after = content_of(EVERY_TYPE.set_column(EVERY_TYPE.schema.get_field_index(name), name, turned))
    assert [a.name for a, b in zip(before.columns, after.columns, strict=True) if a.digest != b.digest] == [name]
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([["a", "b"]], [["ab", ""]]),
        ([[0.0]], [[-0.0]]),
        ([[None, 1]], [[1, None]]),
        ([[[1], [2]]], [[[1, 2], []]]),
        ([[[]]], [[None]]),
        ([[""]], [[None]]),
        ([[{"a": None}]], [[None]]),
    ],
)
def test_what_looks_alike_is_not_the_same(one: list[object], other: list[object]) -> None:
    kind = pa.array(one[0]).type
    left, right = (pa.table([pa.array(cells[0], kind)], names=["a"]) for cells in (one, other))
    assert content_hash(left) != content_hash(right)


def test_names_order_and_types_count() -> None:
    table = pa.table({"a": [1], "b": [1]})
    others = [
        pa.table({"a": [1], "c": [1]}),
        pa.table({"a": [1]}),
        pa.table({"a": [1], "b": pa.array([1], pa.int32())}),
        pa.table({"b": [1], "a": [1]}),
    ]
    assert len({content_hash(one) for one in (table, *others)}) == 5


@given(rows=st.integers(1, 400), data=st.data())
def test_a_changed_cell_is_found_in_its_block(rows: int, data: st.DataObject) -> None:
    cells: list[int | None] = list(range(rows))
    place = data.draw(st.integers(0, rows - 1))
    before = content_of(pa.table({"a": pa.array(cells, pa.int64())})).columns[0]
    cells[place] = data.draw(st.sampled_from((None, -1)))
    after = content_of(pa.table({"a": pa.array(cells, pa.int64())})).columns[0]
    differ = [at for at, (a, b) in enumerate(zip(before.blocks, after.blocks, strict=True)) if a != b]
    assert differ == [place // block_rows(rows)]
