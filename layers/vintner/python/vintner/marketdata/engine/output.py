"""What an engine tells, on its way out of the kernel: columns it writes become Arrow arrays as they are."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa

from vintner.marketdata.kernel.native import BAR_COLUMNS, FEATURE_COLUMNS, GAP_COLUMNS, CountsStruct, library
from vintner.messaging.records import Bar, FeatureValue, schema_of

APPLIED: Final = 0
DUPLICATE: Final = 1
IN_NO_BAR: Final = 2
HEARTBEAT: Final = 3

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BITS: Final = frozenset({"partial", "priced", "ranged", "known"})
_WIDE: Final = frozenset({"open", "high", "low", "close", "volume", "notional", "buy_volume", "sell_volume"})
_NULLS: Final = {
    "open": "priced", "close": "priced", "first_at": "priced", "first_id": "priced", "last_at": "priced",
    "last_id": "priced", "high": "ranged", "low": "ranged", "value": "known",
}  # fmt: skip
"""Which column of bits says where another one is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapEvent:
    """Trade ids of an instrument that did not come, or one of them that came after all.

    Parameters
    ----------
    instrument, venue
        Whose trades.
    first_missing, last_missing
        First and last id, both included; one and the same where it is filled.
    known_at
        Clock of the lane when it was seen.
    kind
        ``opened`` when an id came and those before it had not; ``filled`` when one of them came.
    lane
        Lane of the instrument.

    Examples
    --------
    >>> GapEvent(instrument="BTCUSDT@binance-spot", venue="binance-spot", first_missing=7, last_missing=9,
    ...          known_at=datetime(2026, 1, 5, tzinfo=UTC), kind="opened", lane=57).last_missing
    9
    """

    instrument: str
    venue: str
    first_missing: int
    last_missing: int
    known_at: datetime
    kind: Literal["opened", "filled"]
    lane: int


class OutputLanes(NamedTuple):
    """Lane (int32) of each row of ``bars`` and of ``features``."""

    bars: pa.Int32Array
    features: pa.Int32Array


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOutput:
    """What an engine tells after a batch.

    Parameters
    ----------
    bars
        Revisions of bars and partials, ``schema_of(Bar)``, in the order they became known.
    features
        Values of features that are new or changed, ``schema_of(FeatureValue)``, likewise.
    gaps
        Missing trade ids, and those that came late, in the order of the rows.
    lanes
        Lane of each row of ``bars`` and ``features``.
    verdicts
        Per row of the input (uint8): 0 applied, 1 duplicate, 2 in no bar, 3 heartbeat.
    """

    bars: pa.RecordBatch
    features: pa.RecordBatch
    gaps: list[GapEvent]
    lanes: OutputLanes
    verdicts: pa.UInt8Array


def told_by(engine: int, verdicts: pa.UInt8Array) -> EngineOutput:
    """Return what the engine behind a handle told in its last call."""
    counts = CountsStruct()
    library().vintner_trades_counts(engine, ctypes.byref(counts))
    bar_lanes, bars = _no_rows(Bar)
    feature_lanes, features = _no_rows(FeatureValue)
    if counts.bars:
        text = {"instrument": counts.bar_text, "interval": counts.bar_intervals}
        bar_lanes, bars = _records("bars", engine, Bar, BAR_COLUMNS, counts.bars, text)
    if counts.features:
        text = {"instrument": counts.feature_text, "feature": counts.feature_names}
        feature_lanes, features = _records("features", engine, FeatureValue, FEATURE_COLUMNS, counts.features, text)
    return EngineOutput(
        bars=bars,
        features=features,
        gaps=_gaps(engine, counts) if counts.gaps else [],
        lanes=OutputLanes(bar_lanes, feature_lanes),
        verdicts=verdicts,
    )


def nothing_told() -> EngineOutput:
    """Return what an engine tells after a batch without rows."""
    (bar_lanes, bars), (feature_lanes, features) = _no_rows(Bar), _no_rows(FeatureValue)
    lanes, verdicts = OutputLanes(bar_lanes, feature_lanes), pa.array([], pa.uint8())
    return EngineOutput(bars=bars, features=features, gaps=[], lanes=lanes, verdicts=verdicts)


@cache
def _no_rows(kind: type[Any]) -> tuple[pa.Int32Array, pa.RecordBatch]:
    schema = schema_of(kind)
    return pa.array([], pa.int32()), pa.RecordBatch.from_arrays([pa.array([], of.type) for of in schema], schema=schema)


def _records(
    what: str, engine: int, kind: type[Any], columns: tuple[str, ...], rows: int, text: dict[str, int]
) -> tuple[pa.Int32Array, pa.RecordBatch]:
    buffers = _written(what, engine, columns, rows, text)
    schema = schema_of(kind)
    arrays = [_array(field.name, field.type, buffers, rows) for field in schema]
    return _array("lane", pa.int32(), buffers, rows), pa.RecordBatch.from_arrays(arrays, schema=schema)


def _gaps(engine: int, counts: CountsStruct) -> list[GapEvent]:
    rows = counts.gaps
    buffers = _written("gaps", engine, GAP_COLUMNS, rows, {"instrument": counts.gap_text, "venue": counts.gap_venues})
    kinds = {"lane": pa.int32(), "instrument": pa.string(), "venue": pa.string(), "filled": pa.uint8()}
    names = ("lane", "instrument", "venue", "first_missing", "last_missing", "known_at", "filled")
    columns = [_array(name, kinds.get(name, pa.int64()), buffers, rows).to_pylist() for name in names]
    return [
        GapEvent(
            instrument=instrument,
            venue=venue,
            first_missing=first,
            last_missing=last,
            known_at=_EPOCH + timedelta(microseconds=known_at),
            kind="filled" if filled else "opened",
            lane=lane,
        )
        for lane, instrument, venue, first, last, known_at, filled in zip(*columns, strict=True)
    ]


def _written(what: str, engine: int, columns: tuple[str, ...], rows: int, text: dict[str, int]) -> dict[str, pa.Buffer]:
    buffers = {name: pa.allocate_buffer(max(_size(name, rows, text), 8)) for name in columns}
    pointers = (ctypes.c_void_p * len(columns))(*(buffer.address for buffer in buffers.values()))
    getattr(library(), f"vintner_trades_{what}")(engine, ctypes.byref(pointers))
    return buffers


def _size(name: str, rows: int, text: dict[str, int]) -> int:
    if name in text:
        return text[name]
    if name.endswith("_ends"):
        return 4 * (rows + 1)
    if name in _BITS:
        return (rows + 7) // 8
    return 16 * rows if name in _WIDE else 8 * rows


def _array(name: str, kind: pa.DataType, buffers: dict[str, pa.Buffer], rows: int) -> pa.Array:
    nulls = buffers[_NULLS[name]] if name in _NULLS else None
    ends = [buffers[f"{name}_ends"]] if f"{name}_ends" in buffers else []
    return pa.Array.from_buffers(kind, rows, [nulls, *ends, buffers[name]], null_count=-1 if nulls else 0)
