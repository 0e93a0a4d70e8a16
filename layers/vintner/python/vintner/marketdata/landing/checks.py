"""What every record has to fulfil before it is landed, whatever its type; one rule a record, the first it breaks.

The rules are asked column by column, the same order always, so that a record is refused for the same reason however
it is batched: required fields, lengths of text, known words, instants, bounds, knowledge from the future. A rule that
no row breaks costs a pass over one column, and none costs anything per row in Python.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT, KNOWLEDGE_TIME
from vintner.lake.model import Column, Dataset
from vintner.lake.validate import CLOCK_SKEW, MAX_ENTITY_CHARACTERS
from vintner.marketdata.landing.model import Broken
from vintner.marketdata.landing.reading import ARRIVED_AT, ROW
from vintner.messaging.records import fields_of
from vintner.messaging.records.schema import RecordField

MAX_TEXT_BYTES: Final = 200_000
"""Longest text of a record, bytes: an item of the online store holds 400 KB."""

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Years 1 to 9999, as microseconds since 1970."""

Rule = tuple[Any, str, str, str]
"""Which rows break it (bool), the field, the rule, the remedy."""


def check_records(rows: pa.Table, kind: type[Any], dataset: Dataset) -> tuple[pa.Table, list[Broken]]:
    """Return the rows that are sound records of their type, and what is wrong with each other."""
    return sift(rows, _rules_of_records(rows, kind, dataset))


def check_facts(rows: pa.Table, dataset: Dataset) -> tuple[pa.Table, list[Broken]]:
    """Return the rows, normalised, that may be facts of the dataset, and what is wrong with each other."""
    return sift(rows, _rules_of_facts(rows, dataset))


def sift(rows: pa.Table, rules: Iterable[Rule]) -> tuple[pa.Table, list[Broken]]:
    """Return the rows that break no rule, and for each other the first that it breaks."""
    broken: dict[int, Broken] = {}
    for breaks, field, rule, remedy in rules:
        if not pc.any(breaks, min_count=0).as_py():
            continue
        for row in rows[ROW].filter(breaks).to_pylist():
            broken.setdefault(row, Broken(row, field, rule, remedy))
    if not broken:
        return rows, []
    out = pc.is_in(rows[ROW], value_set=pa.array(sorted(broken), pa.int64()))
    return rows.filter(pc.invert(out)), [broken[row] for row in sorted(broken)]


def _rules_of_records(rows: pa.Table, kind: type[Any], dataset: Dataset) -> Iterator[Rule]:
    words = _WORDS(kind)
    for field in fields_of(kind):
        column = rows[field.name]
        if not field.nullable and column.null_count:
            yield column.is_null(), field.name, "missing value", f"state it: {field.doc}"
        if pa.types.is_string(field.type):
            yield from _rules_of_text(column, field, key=field.name in dataset.key_names)
        if field.name in words:
            known = words[field.name]
            unknown = pc.invert(pc.is_in(column, value_set=pa.array([*known, None])))
            yield unknown, field.name, "unknown value", f"use one of {', '.join(known)}"
        if field.type == INSTANT:
            yield _out_of_range(column), field.name, "out of range", "use an instant from year 1 to 9999 in UTC"


def _rules_of_text(column: pa.ChunkedArray, field: RecordField, *, key: bool) -> Iterator[Rule]:
    if key:
        length = pc.utf8_length(column)
        yield _true(pc.equal(length, 0)), field.name, "missing or not text", f"state it: {field.doc}"
        rule = f"longer than {MAX_ENTITY_CHARACTERS} characters"
        yield _true(pc.greater(length, MAX_ENTITY_CHARACTERS)), field.name, rule, "shorten the name"
    long = _true(pc.greater(pc.binary_length(column), MAX_TEXT_BYTES))
    yield long, field.name, f"longer than {MAX_TEXT_BYTES} bytes", "send less in one record"


def _rules_of_facts(rows: pa.Table, dataset: Dataset) -> Iterator[Rule]:
    for column in (*dataset.keys, *dataset.columns):
        yield from _rules_of_bounds(rows[column.name], column)
    ahead = pc.greater(pc.subtract(rows[KNOWLEDGE_TIME], rows[ARRIVED_AT]), pa.scalar(CLOCK_SKEW, pa.duration("us")))
    remedy = "send it when it is known, or correct the sender's clock"
    yield ahead, KNOWLEDGE_TIME, "knowledge time in the future", remedy


def _rules_of_bounds(values: pa.ChunkedArray, column: Column) -> Iterator[Rule]:
    remedy = f"check the feed: {column.doc}"
    if column.exclusive_minimum is not None:
        low = _true(pc.less_equal(values, pa.scalar(int(column.exclusive_minimum)).cast(_bound_type(column))))
        yield low, column.name, f"not above {column.exclusive_minimum:g}", remedy
    if column.minimum is not None:
        low = _true(pc.less(values, pa.scalar(int(column.minimum)).cast(_bound_type(column))))
        yield low, column.name, f"below {column.minimum:g}", remedy


def _bound_type(column: Column) -> pa.DataType:
    return pa.decimal128(38, column.type.scale) if pa.types.is_decimal(column.type) else column.type


def _out_of_range(column: pa.ChunkedArray) -> Any:
    at = column.cast(pa.int64())
    return _true(pc.or_(pc.less(at, _FIRST), pc.greater(at, _LAST)))


def _true(breaks: Any) -> Any:
    """Return where it is said to break; null says nothing."""
    return pc.fill_null(breaks, False)


def _words_of(kind: type[Any]) -> dict[str, list[str]]:
    """Return the words each field of a record type may hold, where it is an enumeration."""
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        for one in (hint, *typing.get_args(hint)):
            if isinstance(one, type) and issubclass(one, StrEnum):
                found[name] = [word.value for word in one]
    return found


_WORDS: Final = cast("Callable[[type[Any]], dict[str, list[str]]]", lru_cache(maxsize=None)(_words_of))
