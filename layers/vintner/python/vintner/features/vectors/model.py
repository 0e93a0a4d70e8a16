"""Views of streamed features: which values make a vector, and how old each may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.features.errors import VectorViewError
from vintner.marketdata import engine as trades
from vintner.marketdata import quotes

MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorView:
    """A declared vector: features by name, each the latest known at the moment the vector is about.

    Parameters
    ----------
    name
        Name and version, for instance ``intraday/1``: a view with other features or another age is another version.
    doc
        One sentence.
    features
        Names of the features.
    max_age
        A value whose event is longer ago than this is too old to speak for the moment: null.

    Raises
    ------
    VectorViewError
        It has no features, one of them twice, or an age that is negative.
    """

    name: str
    doc: str
    features: tuple[str, ...]
    max_age: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        if not self.features or len(set(self.features)) != len(self.features):
            raise VectorViewError(
                what=f"view {self.name}", rule="names no feature, or one twice", remedy="name each once"
            )
        if self.max_age < timedelta(0):
            raise VectorViewError(what=f"view {self.name}", rule="has a negative age", remedy="0 is the least there is")


INTRADAY: Final = VectorView(
    name="intraday/1",
    doc="What the trades and best quotes of an instrument say at the end of a minute.",
    features=(*trades.FEATURES, *quotes.FEATURES),
)

VECTOR_VIEWS: Final = (INTRADAY,)
"""Every view of streamed features."""

INPUT: Final = pa.schema(
    [
        pa.field("lane", pa.int32(), nullable=False),
        pa.field("instrument", pa.string()),
        pa.field("feature", pa.string()),
        pa.field("event_time", INSTANT),
        pa.field("knowledge_time", INSTANT),
        pa.field("value", pa.float64()),
    ]
)
"""Columns the assembler reads; others are let be. A heartbeat has no instrument: only lane and knowledge_time count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorRules:
    """How the assembler keeps time.

    Parameters
    ----------
    tick
        A lane tells what it knows when its clock enters another tick.
    horizon
        How long after its moment a vector may still be told again.

    Raises
    ------
    VectorViewError
        A tick is not positive, or the horizon negative.
    """

    tick: timedelta = timedelta(milliseconds=250)
    horizon: timedelta = timedelta(minutes=20)

    def __post_init__(self) -> None:
        if self.tick <= timedelta(0) or self.horizon < timedelta(0):
            rule, remedy = "has no positive tick, or a negative horizon", "a tick is a quarter of a second"
            raise VectorViewError(what="a set of rules", rule=rule, remedy=remedy)
