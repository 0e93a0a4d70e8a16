"""The online store: every version of every fact, one key away.

The store keeps *versions*, not answers, so that a write never has to be compared with what is there:

1. :func:`versions_of` turns rows into versions and drops repeats inside the batch.
2. ``put`` writes each version under its own key. Writing it twice, late or out of order changes nothing.
3. ``latest`` decides at read time, by the as-of rule: among the facts whose event is not after ``at``, newest
   event first, the winner is the version with the largest ``(knowledge_time, revision_seq)`` known at
   ``known_at``. A fact whose winner is a tombstone is gone and the next older event is asked; a fact with no
   known version is not there yet.

An entity is named by the keys of its dataset: one value where there is one key, a tuple of values in the order they
are declared where there are several. As text (:func:`entity_text`) no two entities of a dataset are the same.

A version holds its clocks, its operation and its values. When it was ingested and by which delivery is left to the
lake: a redelivered record would differ in those alone, and the store must not depend on how often it was told.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from vintner.bitemporal.model import (
    EVENT_TIME,
    KNOWLEDGE_TIME,
    MAX_REVISION,
    OP,
    REVISION_SEQ,
    Operation,
    utc,
)
from vintner.features.errors import ConflictingVersionsError, OnlineKeyError, OnlineRowError
from vintner.lake.model import Dataset

_CLOCK_COLUMNS: Final = (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP)
_SEPARATOR: Final = "#"
_ESCAPES: Final = (("%", "%25"), (_SEPARATOR, "%23"))

Key = tuple[Any, ...]
"""The values of a dataset's keys, in the order they are declared."""


def key_of(dataset: Dataset, entity: Any) -> Key:
    """Return the key values of an entity given as one value, or as a tuple of several.

    Raises
    ------
    OnlineKeyError
        There are not as many values as keys, or one is not of its key's type.

    Examples
    --------
    >>> from vintner.marketdata.datasets import BARS, MACRO_SERIES
    >>> key_of(MACRO_SERIES, "uk.gdp"), key_of(BARS, ("BTCUSDT@binance-spot", "1m"))
    (('uk.gdp',), ('BTCUSDT@binance-spot', '1m'))
    """
    key = entity if isinstance(entity, tuple) else (entity,)
    wanted = ", ".join(f"{column.name} ({column.type})" for column in dataset.keys)
    if len(key) != len(dataset.keys):
        raise OnlineKeyError(dataset=dataset.name, key=key, wanted=wanted)
    for column, value in zip(dataset.keys, key, strict=True):
        is_text, is_whole = isinstance(value, str), isinstance(value, int) and not isinstance(value, bool)
        if not (is_text if pa.types.is_string(column.type) else is_whole and pa.types.is_integer(column.type)):
            raise OnlineKeyError(dataset=dataset.name, key=key, wanted=wanted)
    return key


def entity_text(key: Key) -> str:
    """Return the key values of an entity as one text that no other entity of the dataset has.

    One text is itself. Of several values each is written so that it does not contain the separator.

    Examples
    --------
    >>> entity_text(("a#b",)), entity_text(("a#b", "c")), entity_text(("a", "b#c")), entity_text(("o-1", 7))
    ('a#b', 'a%23b#c', 'a#b%23c', 'o-1#7')
    """
    parts = [str(value) for value in key]
    if len(parts) == 1:
        return parts[0]
    for mark, written in _ESCAPES:
        parts = [part.replace(mark, written) for part in parts]
    return _SEPARATOR.join(parts)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one fact, as the online store keeps it. ``keys`` are the entity's, by name."""

    keys: Mapping[str, Any]
    event_time: datetime
    knowledge_time: datetime
    revision_seq: int
    op: Operation
    values: Mapping[str, Any]

    @property
    def entity(self) -> str:
        """The entity as one text."""
        return entity_text(tuple(self.keys.values()))

    @property
    def key(self) -> tuple[str, datetime, datetime, int]:
        """What identifies the version within its dataset."""
        return self.entity, self.event_time, self.knowledge_time, self.revision_seq

    @property
    def answer(self) -> dict[str, Any]:
        """The version as :meth:`OnlineStore.latest` returns it."""
        clocks = dict(zip((EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ), self.key[1:], strict=True))
        return {**self.keys, **clocks, **self.values}


class OnlineStore(Protocol):
    """Versions of facts, kept for reading the latest one of an entity."""

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Keep every version in ``rows``; idempotent and free of order.

        Parameters
        ----------
        dataset
            Where the rows belong.
        rows
            Rows of ``dataset.schema``; ``ingested_at`` and the lineage columns are not needed and not kept. A value
            column the rows do not have stays absent, which is not the same as null.

        Returns
        -------
        int
            How many different versions the rows hold.

        Raises
        ------
        OnlineRowError
            If a key or a clock is null, of the wrong type or out of range. Nothing was written.
        ConflictingVersionsError
            If two of the rows have one version key and different values. Nothing was written. Across calls the
            caller keeps this rule; the lake enforces it for everything it holds.
        """
        ...

    def latest(self, dataset: Dataset, entity: Any, *, at: datetime, known_at: datetime) -> Mapping[str, Any] | None:
        """Return the newest fact of ``entity`` with an event not after ``at``, as it was known at ``known_at``.

        Parameters
        ----------
        entity
            The value of the dataset's key; where it has several, a tuple of their values in that order.

        Returns
        -------
        Mapping or None
            The keys (``entity``), ``event_time``, ``knowledge_time``, ``revision_seq`` and the values; instants in UTC.

        Raises
        ------
        NaiveTimeError
            If an instant has no zone.
        OnlineKeyError
            If the entity is not named by the dataset's keys.
        """
        ...


class MemoryOnlineStore:
    """An online store in a dictionary, decided by the plainest reading of the rule.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vintner.marketdata.datasets import MACRO_SERIES
    >>> row = {"entity": "uk.gdp", "event_time": datetime(2008, 9, 30, tzinfo=UTC), "revision_seq": 0,
    ...        "knowledge_time": datetime(2008, 10, 24, tzinfo=UTC), "op": "upsert", "value": 1.5}
    >>> store = MemoryOnlineStore()
    >>> store.put(MACRO_SERIES, pa.Table.from_pylist([row]))
    1
    >>> noon = datetime(2008, 10, 24, 12, tzinfo=UTC)
    >>> store.latest(MACRO_SERIES, "uk.gdp", at=noon, known_at=noon)["value"]
    1.5
    """

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], dict[tuple[str, datetime, datetime, int], Version]] = {}

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Keep every version in ``rows``; see :meth:`OnlineStore.put`."""
        versions = versions_of(dataset, rows)
        for version in versions:
            self._facts.setdefault((dataset.name, version.entity), {})[version.key] = version
        return len(versions)

    def latest(self, dataset: Dataset, entity: Any, *, at: datetime, known_at: datetime) -> Mapping[str, Any] | None:
        """Return the newest fact as it was known; see :meth:`OnlineStore.latest`."""
        event_cut, knowledge_cut = utc(at, field="at"), utc(known_at, field="known_at")
        place = (dataset.name, entity_text(key_of(dataset, entity)))
        winners: dict[datetime, Version] = {}
        for version in sorted(self._facts.get(place, {}).values(), key=lambda v: v.key):
            if version.knowledge_time <= knowledge_cut and version.event_time <= event_cut:
                winners[version.event_time] = version
        standing = [version for version in winners.values() if version.op is Operation.UPSERT]
        return max(standing, key=lambda v: v.event_time).answer if standing else None


def versions_of(dataset: Dataset, rows: pa.Table) -> list[Version]:
    """Return the different versions ``rows`` hold, in the order they first appear.

    Raises
    ------
    OnlineRowError
        If a clock column is missing, null or out of range.
    ConflictingVersionsError
        If two rows have one version key and different values; values are compared bit by bit.
    """
    distinct: dict[tuple[str, datetime, datetime, int], Version] = {}
    for version in _read(dataset, rows):
        kept = distinct.setdefault(version.key, version)
        if kept is not version and _content(kept) != _content(version):
            stated = "/".join(str(part) for part in version.key[1:])
            raise ConflictingVersionsError(dataset=dataset.name, entity=version.entity, version=stated)
    return list(distinct.values())


def _read(dataset: Dataset, rows: pa.Table) -> Iterator[Version]:
    present = set(rows.column_names)
    stated = (*dataset.key_names, *_CLOCK_COLUMNS)
    for missing in (name for name in stated if name not in present):
        raise _refusal(dataset, missing, "-", None, "the column is missing")
    clocks = zip(*(_cells(rows, name) for name in stated), strict=True)
    names = [column.name for column in dataset.columns if column.name in present]
    cells = zip(*(_cells(rows, name) for name in names), strict=True) if names else iter([()] * rows.num_rows)
    for position, (clock, row) in enumerate(zip(clocks, cells, strict=True)):
        yield _version(dataset, position, clock, dict(zip(names, row, strict=True)))


def _version(dataset: Dataset, position: int, clocks: tuple[Any, ...], values: Mapping[str, Any]) -> Version:
    for name, value in zip((*dataset.key_names, *_CLOCK_COLUMNS), clocks, strict=True):
        if value is None:
            raise _refusal(dataset, name, position, value, "a version needs all its keys and clocks")
    *key, event_time, knowledge_time, revision_seq, op = clocks
    if not 0 <= revision_seq <= MAX_REVISION:
        raise _refusal(dataset, REVISION_SEQ, position, revision_seq, f"it must lie between 0 and {MAX_REVISION}")
    if op not in set(Operation):
        raise _refusal(dataset, OP, position, op, f"it must be one of {', '.join(Operation)}")
    instants = utc(event_time, field=EVENT_TIME), utc(knowledge_time, field=KNOWLEDGE_TIME)
    keys = dict(zip(dataset.key_names, key_of(dataset, tuple(key)), strict=True))
    return Version(keys, *instants, revision_seq, Operation(op), values)


def _refusal(dataset: Dataset, field: str, position: int | str, value: object, rule: str) -> OnlineRowError:
    remedy = "give rows of the dataset's schema, as the lake's reader returns them"
    return OnlineRowError(dataset=dataset.name, field=field, position=position, value=value, rule=rule, remedy=remedy)


def _cells(rows: pa.Table, name: str) -> Iterable[Any]:
    cells: list[Any] = rows[name].to_pylist()
    return cells


def _content(version: Version) -> tuple[object, ...]:
    return (version.op, *((name, _bits(value)) for name, value in version.values.items()))


def _bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value
