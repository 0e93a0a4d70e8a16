"""The slow, obvious twin of judging a batch: one dictionary, one row at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

from vintner.lake import Dataset

Row = Mapping[str, Any]


def version_key(row: Row, keys: tuple[str, ...] = ("entity",)) -> tuple[Any, ...]:
    """The key of a version: entity keys, event time, knowledge time, revision."""
    return tuple(row[name] for name in (*keys, "event_time", "knowledge_time", "revision_seq"))


def statement(dataset: Dataset, row: Row) -> tuple[Any, ...]:
    """What a version states: its operation and values, floats by their bits."""
    return (str(row["op"]), *(_bits(row.get(name)) for name in dataset.values.names))


def judge_rows(dataset: Dataset, batch: Iterable[Row], held: Iterable[Row]) -> dict[str, list[Row]]:
    """Sort a batch, in delivery order, into kept, redelivered, duplicates and conflicts."""
    stands = {version_key(row, dataset.key_names): row for row in held}
    judged: dict[str, list[Row]] = {"kept": [], "redelivered": [], "duplicates": [], "conflicts": []}
    for row in batch:
        other = stands.setdefault(version_key(row, dataset.key_names), row)
        if other is row:
            judged["kept"].append(row)
        elif statement(dataset, other) != statement(dataset, row):
            judged["conflicts"].append(row)
        elif other["record_id"] == row["record_id"]:
            judged["redelivered"].append(row)
        else:
            judged["duplicates"].append(row)
    return judged


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value)
    return value
