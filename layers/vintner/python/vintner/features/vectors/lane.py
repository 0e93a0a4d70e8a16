"""One lane of the assembler: what is known of each instrument, moment by moment.

1.  Per instrument and moment (an event time that some feature of a view was stated for) there is one row: of each
    feature the value stated for that very moment, and when it was known. The newest statement stands.
2.  A moment is frozen once its horizon has passed at the lane's stamp. Frozen rows are folded into one, the base: of
    each feature the value with the latest event. It goes on speaking for later moments, and may still be bettered by
    a late value, but no vector of a frozen moment is told again.
3.  The vector of a moment takes each feature's value with the latest event up to it: a walk from the base over the
    rows in order of time. A walk begins again wherever a statement changed something.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

NEVER: Final = -(2**63)
"""In place of an instant: nothing was stated."""

NAN: Final = float("nan")
"""In place of a value: not defined."""


@dataclass(slots=True)
class Moment:
    """What was stated for one event time: by feature when it was known, and its value (NaN: not defined).

    ``told`` holds, by view, the values that were told of it last.
    """

    known: array[int]
    value: array[float]
    told: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Instrument:
    """The base, the moments after it, and the earliest event time from which vectors have to be looked at again."""

    event: array[int]
    known: array[int]
    value: array[float]
    moments: dict[int, Moment] = field(default_factory=dict)
    changed: int | None = None

    @classmethod
    def new(cls, features: int) -> Instrument:
        """Return an instrument nothing is known of, for so many features."""
        return cls(array("q", [NEVER]) * features, array("q", [NEVER]) * features, array("d", [NAN]) * features)

    def state(self, feature: int, event: int, known: int, value: float, *, frozen: int) -> bool:
        """Take a statement; return whether it says anything new. Moments up to ``frozen`` are folded before."""
        self.fold(frozen)
        if event <= frozen:
            if (event, known) <= (self.event[feature], self.known[feature]):
                return False
            self.event[feature], self.known[feature], self.value[feature] = event, known, value
        else:
            moment = self.moments.get(event)
            if moment is None:
                size = len(self.event)
                moment = self.moments[event] = Moment(array("q", [NEVER]) * size, array("d", [NAN]) * size)
            if known <= moment.known[feature]:
                return False
            moment.known[feature], moment.value[feature] = known, value
        self.changed = event if self.changed is None else min(self.changed, event)
        return True

    def fold(self, frozen: int) -> None:
        """Fold the moments up to an instant into the base."""
        if not self.moments or min(self.moments) > frozen:
            return
        for event in sorted(event for event in self.moments if event <= frozen):
            moment = self.moments.pop(event)
            for feature, known in enumerate(moment.known):
                if known != NEVER:
                    self.event[feature], self.known[feature] = event, known
                    self.value[feature] = moment.value[feature]


@dataclass(slots=True)
class Lane:
    """Clock, last stamp, and instruments by name; those that changed since the stamp, by name."""

    clock: int = NEVER
    stamp: int = NEVER
    instruments: dict[str, Instrument] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
