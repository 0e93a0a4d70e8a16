"""The streams of the platform, each declared once.

From a declaration come the stream and its functions in the templates, the types of producers and consumers, and the
page ``docs/streams.md``. Sizes (shards, retention beyond the least, memory) differ between environments and live with
them; what is here is what a stream *is*.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from vintner.messaging.errors import UnknownStreamError
from vintner.messaging.records import Bar, FeatureValue, FeatureVector, Fill, Order, Quote, Signal, Trade

LANES: Final = 64
"""Number of partition keys the keys of a stream are spread over; at most so many shards share its load.

Order holds within a lane. It never changes for a stream: the lane of a key would change with it.
"""


WEEK_HOURS: Final = 168
"""A processor restores its state from the stream: what it has not written down yet is there after a long weekend."""


class Criticality(StrEnum):
    """How much a record of a stream may never be doubled."""

    CRITICAL = "critical"  # an id is claimed by a conditional write before a record has any effect
    STANDARD = "standard"  # deduplicated by sequence and by version key


class Ordering(StrEnum):
    """Within what records arrive in the order they were sent."""

    KEY = "key"


class Role(StrEnum):
    """What a consumer of a stream is."""

    LANDER = "lander"  # commits the records to the lake (and to the online store)
    PROCESSOR = "processor"  # keeps state and derives further streams
    LEDGER = "ledger"  # claims ids by conditional writes, then lands


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """A function that drains a stream: the folder under ``functions/`` it comes from, and what it derives."""

    function: str
    role: Role
    produces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A declared stream.

    Parameters
    ----------
    name
        Logical name; with hyphens for dots and underscores it is the Kinesis stream's.
    doc
        One sentence.
    record
        Type of its records.
    key
        Fields that order holds within; hashed into a lane, which is the partition key.
    retention_hours
        Least time records stay in the stream, hours.
    """

    name: str
    doc: str
    record: type[Any]
    key: tuple[str, ...]
    ordering: Ordering = Ordering.KEY
    retention_hours: int = 24
    criticality: Criticality = Criticality.STANDARD
    consumers: tuple[Consumer, ...] = ()

    @property
    def resource_name(self) -> str:
        """The name as resources have it: ``market-data-trades``."""
        return self.name.replace(".", "-").replace("_", "-")


def lane_of(*key: str) -> int:
    """Return the lane of a key.

    Examples
    --------
    >>> lane_of("binance-spot", "BTCUSDT"), lane_of("binance-spot", "ETHUSDT")
    (57, 38)
    """
    return zlib.crc32("\x1f".join(key).encode()) % LANES


def partition_key(lane: int) -> str:
    """Return the partition key of a lane."""
    return f"{lane:03d}"


def _landed(folder: str) -> Consumer:
    return Consumer(function=folder, role=Role.LANDER)


TRADES: Final = Stream(
    name="market_data.trades",
    doc="Executions as venues publish them.",
    record=Trade,
    key=("venue", "symbol"),
    retention_hours=WEEK_HOURS,
    consumers=(
        Consumer(function="trades_processor", role=Role.PROCESSOR, produces=("market_data.bars", "features.raw")),
        _landed("trades_lander"),
    ),
)
L1: Final = Stream(
    name="market_data.l1",
    doc="Best bid and offer, one record a change.",
    record=Quote,
    key=("venue", "symbol"),
    retention_hours=WEEK_HOURS,
    consumers=(
        Consumer(function="quotes_processor", role=Role.PROCESSOR, produces=("features.raw",)),
        _landed("quotes_lander"),
    ),
)
BARS: Final = Stream(
    name="market_data.bars",
    doc="Bars of every interval, each revision when it became known.",
    record=Bar,
    key=("instrument",),
    retention_hours=WEEK_HOURS,
    consumers=(_landed("bars_lander"),),
)
FEATURES_RAW: Final = Stream(
    name="features.raw",
    doc="Feature values as each processor computes them.",
    record=FeatureValue,
    key=("instrument",),
    retention_hours=WEEK_HOURS,
    consumers=(
        Consumer(function="features_processor", role=Role.PROCESSOR, produces=("features.pit",)),
        _landed("features_lander"),
    ),
)
FEATURES_PIT: Final = Stream(
    name="features.pit",
    doc="Vectors of a feature view, each value the latest known by then.",
    record=FeatureVector,
    key=("instrument",),
    consumers=(_landed("vectors_lander"),),
)
SIGNALS: Final = Stream(
    name="signals",
    doc="What models say.",
    record=Signal,
    key=("instrument",),
    retention_hours=WEEK_HOURS,
    consumers=(_landed("signals_lander"),),
)
ORDERS: Final = Stream(
    name="orders",
    doc="States of orders.",
    record=Order,
    key=("order_id",),
    retention_hours=WEEK_HOURS,
    criticality=Criticality.CRITICAL,
    consumers=(Consumer(function="orders_ledger", role=Role.LEDGER),),
)
FILLS: Final = Stream(
    name="fills",
    doc="Executions of our orders.",
    record=Fill,
    key=("order_id",),
    retention_hours=WEEK_HOURS,
    criticality=Criticality.CRITICAL,
    consumers=(Consumer(function="fills_ledger", role=Role.LEDGER),),
)

STREAMS: Final[Mapping[str, Stream]] = MappingProxyType(
    {stream.name: stream for stream in (TRADES, L1, BARS, FEATURES_RAW, FEATURES_PIT, SIGNALS, ORDERS, FILLS)}
)
"""Every stream of records by name. The reference data streams ``market_data`` and ``macro_data`` carry JSON facts."""


def stream_named(name: str) -> Stream:
    """Return a declared stream.

    Raises
    ------
    UnknownStreamError
        Naming those there are.
    """
    if name not in STREAMS:
        raise UnknownStreamError(stream=name, known=", ".join(STREAMS))
    return STREAMS[name]
