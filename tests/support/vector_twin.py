"""The assembler of vectors said slowly: every statement is kept, and each flush makes every vector from scratch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vintner.features.vectors import Outcome, VectorView

Row = Mapping[str, Any]


class Vector(NamedTuple):
    """One vector: times in microseconds."""

    lane: int
    instrument: str
    view: str
    event: int
    known: int
    values: str


class Statement(NamedTuple):
    """A value of a feature; ``makes`` whether its moment was not frozen when it came."""

    event: int
    known: int
    value: float | None
    makes: bool


@dataclass
class Lane:
    clock: int | None = None
    stamp: int | None = None
    stated: dict[str, dict[str, list[Statement]]] = field(default_factory=dict)
    told: dict[tuple[str, str, int], str] = field(default_factory=dict)


class VectorTwin:
    """Rows are dicts of Python values, times in microseconds."""

    def __init__(self, views: Sequence[VectorView], *, tick: int, horizon: int) -> None:
        self.views, self.tick, self.horizon = sorted(views, key=lambda view: view.name), tick, horizon
        self.lanes: dict[int, Lane] = {}
        self.told: list[Vector] = []

    def apply(self, rows: Sequence[Row]) -> list[int]:
        return [int(self._apply(row)) for row in rows]

    def _apply(self, row: Row) -> Outcome:
        name, feature, event, known = (row[key] for key in ("instrument", "feature", "event_time", "knowledge_time"))
        if known is None or (name is not None and (feature is None or event is None)):
            return Outcome.INCOMPLETE
        lane = self.lanes.setdefault(row["lane"], Lane())
        before, lane.clock = lane.clock, known if lane.clock is None else max(lane.clock, known)
        if before is None or lane.clock // self.tick > before // self.tick:
            last, lane.stamp = lane.stamp, lane.clock // self.tick * self.tick
            self._flush(row["lane"], lane, last, lane.stamp)
        if name is None:
            return Outcome.HEARTBEAT
        if not any(feature in view.features for view in self.views):
            return Outcome.IN_NO_VIEW
        assert lane.stamp is not None
        return self._state(
            lane, name, feature, Statement(event, known, row["value"], event + self.horizon > lane.stamp)
        )

    def _state(self, lane: Lane, name: str, feature: str, new: Statement) -> Outcome:
        stated = lane.stated.setdefault(name, {}).setdefault(feature, [])
        rivals = [one for one in stated if one.event == new.event or (one.event > new.event and not new.makes)]
        stated.append(new)
        assert lane.stamp is not None
        if new.makes:
            old = any(one.known >= new.known for one in rivals)
        else:  # only the newest statement of what is frozen can still speak
            old = any(
                (one.event, one.known) >= (new.event, new.known) and one.event + self.horizon <= lane.stamp
                for one in rivals
            )
        return Outcome.OLD if old else Outcome.APPLIED

    def _flush(self, number: int, lane: Lane, last: int | None, stamp: int) -> None:
        for name in sorted(lane.stated):
            stated = lane.stated[name]
            moments = sorted({one.event for each in stated.values() for one in each if one.makes})
            for at in moments:
                if at > stamp or (last is not None and at + self.horizon <= last):
                    continue
                for view in self.views:
                    if any(one.event == at for feature in view.features for one in stated.get(feature, ())):
                        self._tell(Vector(number, name, view.name, at, stamp, vector_of(view, stated, at)), lane)

    def _tell(self, vector: Vector, lane: Lane) -> None:
        key = (vector.instrument, vector.view, vector.event)
        if lane.told.get(key) != vector.values:
            lane.told[key] = vector.values
            self.told.append(vector)


def vector_of(view: VectorView, stated: Mapping[str, Sequence[Statement]], at: int) -> str:
    """Return the values of a view at a moment as JSON."""
    max_age = view.max_age.total_seconds() * 1e6
    values: dict[str, float | None] = {}
    for feature in sorted(view.features):
        up_to = [one for one in stated.get(feature, ()) if one.event <= at]
        newest = max(up_to, key=lambda one: (one.event, one.known), default=None)
        there = newest is not None and at - newest.event <= max_age
        values[feature] = newest.value if there and newest is not None and _is_defined(newest.value) else None
    return json.dumps(values, separators=(",", ":"))


def _is_defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
