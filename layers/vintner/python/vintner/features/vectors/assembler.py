"""The assembler of vectors: feature values in delivery order, one vector an instrument, view and moment out.

1.  A moment is an event time of a feature of the view: the end of a minute. The vector of a moment holds, of each
    feature, the value with the latest event up to the moment, in the newest statement that is known; null where that
    value is not defined, where there is none, and where its event is longer ago than the view's ``max_age``.
2.  The clock of a lane is the running maximum of knowledge times, of values and heartbeats. Entering another tick,
    before the row that does so is applied, the lane tells every vector that is new or differs from what was told of it,
    with the stamp, a whole tick, as its ``knowledge_time``: all that it holds was known by then.
3.  So values that several processors state for one moment make one vector if they come within a tick, and revised
    vectors if they do not; a revised value revises every vector that it speaks in.
4.  A moment with ``event_time + horizon <= stamp`` is frozen: its vectors are not told again.

What a lane tells is a function of its rows in their order; how they are batched, and which lanes are mixed in, changes
nothing. State and its saved form are in :mod:`vintner.features.vectors.lane` and ``state``.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.features.errors import VectorRowsError
from vintner.features.vectors.lane import NAN, NEVER, Instrument, Lane
from vintner.features.vectors.model import INPUT, MICROSECOND, VECTOR_VIEWS, VectorRules, VectorView
from vintner.features.vectors.state import packed, unpacked
from vintner.messaging.records import FeatureVector, schema_of


class Outcome(IntEnum):
    """What became of a row."""

    APPLIED = 0
    OLD = 1  # a newer statement is known, or the same one
    IN_NO_VIEW = 2
    HEARTBEAT = 3
    INCOMPLETE = 4  # it states no feature, no event or no knowledge time: passed over, the clock too


@dataclass(frozen=True, slots=True)
class VectorOutput:
    """What a batch of rows brought.

    Parameters
    ----------
    vectors
        Rows of :class:`~vintner.messaging.records.FeatureVector`, as they became known.
    lanes
        Lane of each of them (int32).
    verdicts
        :class:`Outcome` of each input row (uint8).
    """

    vectors: pa.RecordBatch
    lanes: pa.Int32Array
    verdicts: pa.UInt8Array


@dataclass(slots=True)
class _Told:
    """Columns of the vectors told so far by one call."""

    lane: list[int] = field(default_factory=list)
    instrument: list[str] = field(default_factory=list)
    view: list[str] = field(default_factory=list)
    event: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def vectors(self) -> pa.RecordBatch:
        """Return them as records."""
        columns = {
            "instrument": pa.array(self.instrument, pa.string()),
            "view": pa.array(self.view, pa.string()),
            "event_time": pa.array(self.event, pa.int64()).cast(INSTANT),
            "knowledge_time": pa.array(self.known, pa.int64()).cast(INSTANT),
            "values": pa.array(self.values, pa.string()),
        }
        schema = schema_of(FeatureVector)
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


class VectorAssembler:
    """Rolling vectors, lane by lane; used by one thread at a time.

    Parameters
    ----------
    views
        What to assemble.
    rules
        How it keeps time.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> view = VectorView(name="demo/1", doc="Two features.", features=("rsi_14_1m", "spread_bps_1m"))
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> rows = [{"lane": 3, "instrument": "BTCUSDT@binance", "feature": "rsi_14_1m", "event_time": noon,
    ...          "knowledge_time": noon, "value": 55.5}, {"lane": 3, "knowledge_time": noon + timedelta(seconds=1)}]
    >>> told = VectorAssembler((view,)).apply(pa.Table.from_pylist(rows, schema=INPUT))
    >>> told.vectors["values"].to_pylist()
    ['{"rsi_14_1m":55.5,"spread_bps_1m":null}']
    """

    def __init__(self, views: Sequence[VectorView] = VECTOR_VIEWS, rules: VectorRules | None = None) -> None:
        rules = rules or VectorRules()
        self._tick, self._horizon = rules.tick // MICROSECOND, rules.horizon // MICROSECOND
        self._features = tuple(sorted({name for view in views for name in view.features}))
        self._number: Final = {name: number for number, name in enumerate(self._features)}
        self._views = [_View(view, self._number) for view in sorted(views, key=lambda view: view.name)]
        self._lanes: dict[int, Lane] = {}

    @property
    def lanes(self) -> set[int]:
        """The lanes it holds state of."""
        return set(self._lanes)

    def apply(self, rows: pa.RecordBatch | pa.Table) -> VectorOutput:
        """Apply rows in their order; return the vectors that became known.

        Parameters
        ----------
        rows
            Columns as in :data:`~vintner.features.vectors.INPUT`, lanes mixed in any way.

        Raises
        ------
        VectorRowsError
            A column is missing or has another type, or a lane is null.
        """
        columns = [_column(rows, one) for one in INPUT]
        told = _Told()
        verdicts = [self._apply(told, *row) for row in zip(*columns, strict=True)]
        return VectorOutput(
            vectors=told.vectors(), lanes=pa.array(told.lane, pa.int32()), verdicts=pa.array(verdicts, pa.uint8())
        )

    def dump(self, lanes: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the state of lanes, of all if none are named, as bytes; those it does not hold are left out."""
        wanted = self.lanes if lanes is None else self.lanes & set(lanes)
        return {lane: packed(self._lanes[lane], self._features) for lane in sorted(wanted)}

    def load(self, blobs: Mapping[int, bytes]) -> None:
        """Replace lanes by what :meth:`dump` returned, of these views or others: features are taken over by name.

        Raises
        ------
        VectorStateError
            One of them cannot be read; then none is replaced.
        """
        self._lanes |= {lane: unpacked(blob, lane, self._features) for lane, blob in blobs.items()}

    def forget(self, lanes: Iterable[int]) -> None:
        """Drop the state of lanes; those it does not hold are let be."""
        for lane in lanes:
            self._lanes.pop(lane, None)

    def _apply(
        self, told: _Told, number: int, name: str | None, feature: str | None, event: int | None, known: int | None,
        value: float | None,
    ) -> Outcome:  # fmt: skip
        heartbeat = name is None
        if known is None or (not heartbeat and (feature is None or event is None)):
            return Outcome.INCOMPLETE
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = Lane()
        self._advance(number, lane, known, told)
        if name is None or feature is None or event is None:
            return Outcome.HEARTBEAT
        at = self._number.get(feature)
        if at is None:
            return Outcome.IN_NO_VIEW
        one = lane.instruments.get(name)
        if one is None:
            one = lane.instruments[name] = Instrument.new(len(self._features))
        defined = NAN if value is None or not math.isfinite(value) else value
        if not one.state(at, event, known, defined, frozen=lane.stamp - self._horizon):
            return Outcome.OLD
        lane.changed.add(name)
        return Outcome.APPLIED

    def _advance(self, number: int, lane: Lane, known: int, told: _Told) -> None:
        before = lane.clock
        if known <= before:
            return
        lane.clock = known
        if before == NEVER or known // self._tick > before // self._tick:
            frozen, lane.stamp = lane.stamp - self._horizon, known // self._tick * self._tick
            self._flush(number, lane, frozen, told)

    def _flush(self, number: int, lane: Lane, frozen: int, told: _Told) -> None:
        for name in sorted(lane.changed):
            one = lane.instruments[name]
            one.fold(frozen)
            later = self._tell(number, lane.stamp, name, one, told)
            one.changed = later
            if later is None:
                lane.changed.discard(name)

    def _tell(self, number: int, stamp: int, name: str, one: Instrument, told: _Told) -> int | None:
        """Tell the vectors that differ; return the first moment that is yet to come, if there is one."""
        changed = one.changed
        event, value = one.event[:], one.value[:]
        for at in sorted(one.moments):
            if at > stamp:
                return at
            moment = one.moments[at]
            for feature, known in enumerate(moment.known):
                if known != NEVER:
                    event[feature], value[feature] = at, moment.value[feature]
            if changed is None or at < changed:
                continue
            for view in self._views:
                values = view.values(at, event, value)
                content = values.tobytes()
                if view.speaks(moment.known) and moment.told.get(view.name) != content:
                    moment.told[view.name] = content
                    told.lane.append(number)
                    told.instrument.append(name)
                    told.view.append(view.name)
                    told.event.append(at)
                    told.known.append(stamp)
                    told.values.append(view.text(values))
        return None


class _View:
    """A view with its features by number, names sorted."""

    def __init__(self, view: VectorView, numbers: Mapping[str, int]) -> None:
        self.name = view.name
        self._names = sorted(view.features)
        self._numbers = [numbers[name] for name in self._names]
        self._max_age = view.max_age // MICROSECOND

    def speaks(self, known: Sequence[int]) -> bool:
        """Whether a feature of the view was stated for a moment."""
        return any(known[number] != NEVER for number in self._numbers)

    def values(self, at: int, event: Sequence[int], value: Sequence[float]) -> array[float]:
        """Return the vector of a moment; NaN for null."""
        oldest = at - self._max_age
        return array("d", [value[number] if event[number] >= oldest else NAN for number in self._numbers])

    def text(self, values: Sequence[float]) -> str:
        """Return a vector as JSON."""
        stated = (None if math.isnan(value) else value for value in values)
        return json.dumps(dict(zip(self._names, stated, strict=True)), separators=(",", ":"), allow_nan=False)


def _column(rows: pa.RecordBatch | pa.Table, wanted: pa.Field) -> list[Any]:
    if wanted.name not in rows.schema.names:
        raise VectorRowsError(column=wanted.name, rule="is missing", remedy="hand in the columns of INPUT")
    column = rows[wanted.name]
    text = pa.types.is_string(wanted.type) and column.type in (
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
    )
    if column.type != wanted.type and not text:
        rule, remedy = f"is {column.type}", f"cast it to {wanted.type}"
        raise VectorRowsError(column=wanted.name, rule=rule, remedy=remedy)
    if not wanted.nullable and column.null_count:
        raise VectorRowsError(column=wanted.name, rule="is null", remedy="every row states it, a heartbeat too")
    values: list[Any] = (column.cast(pa.int64()) if wanted.type == INSTANT else column).to_pylist()
    return values
