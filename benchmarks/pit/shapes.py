"""The data shapes of the benchmark, as numbers: how many rows, which keys, and how facts are published and revised.

Every distribution is made of whole numbers (quantiles with straight lines between them, powers of a uniform number),
so that the same seed makes the same bytes on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from vintner.bitemporal import EVENT_TIME, INGESTED_AT, INSTANT, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.errors import VintnerError

START: Final = datetime(2014, 1, 1, tzinfo=UTC)
SPAN: Final = timedelta(days=3652)
"""Events lie in the ten years after the start."""

GENERATOR: Final = 1
"""Counts the changes to the generator that change what it makes; data made by another is made again."""

ROW: Final = "row"
"""The spine's column that numbers its rows (int64), by which answers are compared."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


class UnknownShapeError(VintnerError, ValueError):
    """A scale or a kind of key that the benchmark does not have."""

    template = "{what} {name!r} is not known; choose from {choices}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableShape:
    """How the facts of one table come about.

    Parameters
    ----------
    lag
        Quantiles, equally spaced, of publication minus event, in seconds.
    gap
        Quantiles of a revision's knowledge time minus that of the version before it, in seconds.
    revised
        Probability that a version is revised once more; also about the share of rows that are revisions.
    withdrawn
        Probability that a fact ends in a tombstone; half of those are stated again later.
    announced
        Probability that a fact is future-dated: known up to 90 days before its event.
    moved
        Probability that an announced fact is moved: a tombstone and a fact at another event time, known together.
    repeated
        Probability that a row is delivered twice: the same statement, written later.
    backfilled
        Probability that a row was written here up to two years after it was known.
    """

    lag: tuple[int, ...]
    gap: tuple[int, ...] = (_DAY, 20 * _DAY, 45 * _DAY, 80 * _DAY, 120 * _DAY, 200 * _DAY, 900 * _DAY)
    revised: float = 0.15
    withdrawn: float = 0.0
    announced: float = 0.0
    moved: float = 0.0
    repeated: float = 0.002
    backfilled: float = 0.05


TABLES: Final[Mapping[str, TableShape]] = {
    "figures": TableShape(lag=(0, 2 * _DAY, 10 * _DAY, 20 * _DAY, 30 * _DAY, 40 * _DAY, 60 * _DAY, 400 * _DAY)),
    "readings": TableShape(
        lag=(0, 1, 5, 30, _MINUTE, 5 * _MINUTE, _HOUR, _DAY),
        gap=(0, _MINUTE, _HOUR, _DAY, 3 * _DAY, 30 * _DAY),
        revised=0.05,
    ),
    "notices": TableShape(lag=(0, _MINUTE, _HOUR, _DAY, 5 * _DAY, 30 * _DAY), withdrawn=0.05, announced=0.2, moved=0.2),
}
"""The fact tables. In figures and readings nothing is withdrawn or known before its event; in notices all happens."""

VALUES: Final = (pa.field("value", pa.float64()), pa.field("count", pa.int64()))
KEYS: Final[Mapping[str, tuple[pa.Field, ...]]] = {
    "one": (pa.field("entity", pa.string(), nullable=False),),
    "two": (pa.field("venue", pa.string(), nullable=False), pa.field("instrument", pa.int64(), nullable=False)),
}
VENUES: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One data set.

    Parameters
    ----------
    scale
        Its name.
    facts
        About how many rows each fact table has, revisions and tombstones included.
    spine
        How many rows the spine has.
    entities
        How many entities have facts; one in a hundred more is asked for and has none.
    skew
        Entity number = entities x u ** skew with u uniform: 1 gives all entities equally many facts, at a steady
        pace; 3 gives the first percent of the entities a fifth of all rows.
    keys
        "one" (entity: string) or "two" (venue: string, instrument: int64).
    seed
        Seed of everything random.
    tables
        The fact tables by name.
    chunk
        About how many rows of a table are made, and written as one file, at once.
    """

    scale: str
    facts: int
    spine: int
    entities: int
    skew: int = 1
    keys: str = "one"
    seed: int = 7
    tables: Mapping[str, TableShape] = field(default_factory=lambda: dict(TABLES))
    chunk: int = 2_000_000

    @property
    def name(self) -> str:
        """Name of the data set, and of its folder."""
        return f"{self.scale}-{self.keys}-skew{self.skew}-seed{self.seed}"

    @property
    def label(self) -> str:
        """Everything the data depends on, as text: kept beside it."""
        return json.dumps({"generator": GENERATOR, **asdict(self)}, indent=1)

    @property
    def chunks(self) -> int:
        """Into how many pieces of time the data set is cut."""
        return max(1, -(-max(self.facts, self.spine) // self.chunk))

    @property
    def key_fields(self) -> tuple[pa.Field, ...]:
        """Columns that name an entity."""
        return KEYS[self.keys]

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the columns that name an entity."""
        return tuple(key.name for key in self.key_fields)

    @property
    def fact_schema(self) -> pa.Schema:
        """Arrow schema of every fact table."""
        clocks = [pa.field(name, INSTANT, nullable=False) for name in (EVENT_TIME, KNOWLEDGE_TIME)]
        version = [pa.field(REVISION_SEQ, pa.int64(), nullable=False), pa.field(OP, pa.string(), nullable=False)]
        written = pa.field(INGESTED_AT, INSTANT, nullable=False)
        return pa.schema([*self.key_fields, *clocks, *version, written, *VALUES])

    @property
    def spine_schema(self) -> pa.Schema:
        """Arrow schema of the spine: row (int64), the keys, time."""
        return pa.schema([pa.field(ROW, pa.int64()), *self.key_fields, pa.field("time", INSTANT, nullable=False)])


SCALES: Final[Mapping[str, Shape]] = {
    shape.scale: shape
    for shape in (
        Shape(scale="XS", facts=1_000, spine=400, entities=8),
        Shape(scale="S", facts=100_000, spine=100_000, entities=1_000),
        Shape(scale="M", facts=1_000_000, spine=1_000_000, entities=5_000),
        Shape(scale="L", facts=10_000_000, spine=10_000_000, entities=20_000),
        Shape(scale="XL", facts=100_000_000, spine=10_000_000, entities=100_000),
    )
}


def shape_of(scale: str, *, keys: str = "one", skew: int = 1, seed: int = 7) -> Shape:
    """Return the shape of a scale with these keys, skew and seed.

    Raises
    ------
    UnknownShapeError

    Examples
    --------
    >>> shape_of("S", keys="two").name
    'S-two-skew1-seed7'
    """
    for what, name, choices in (("scale", scale, SCALES), ("kind of key", keys, KEYS)):
        if name not in choices:
            raise UnknownShapeError(what=what, name=name, choices=", ".join(choices))
    return replace(SCALES[scale], keys=keys, skew=skew, seed=seed)
