"""What the processor of trades told, as frames, and whether pandas and Polars come to the same.

Whole numbers (prices, sizes, counts, times, ids) have to be equal; a notional and a feature, which the others compute
in floating point in an order of their own, to nine digits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.stream_peers import FEATURES
from vintner.errors import VintnerError
from vintner.marketdata.calendars import INTERVALS
from vintner.messaging.records import Bar, FeatureValue
from vintner.messaging.wire import unpack

WHOLE: Final = (
    "open", "high", "low", "close", "volume", "trades", "buy_volume", "sell_volume", "first_at", "first_id", "last_at",
    "last_id",
)  # fmt: skip
DIGITS: Final = 1e-9
_KEY: Final = ["instrument", "start"]


class RecomputationDiffersError(VintnerError):
    """Two ways to the same bars or features came to different ones."""

    template = "{who}: {what} differs from what the processor told in {wrong} of {rows} rows; nothing was timed"


def plain_trades(rows: pa.Table) -> pa.Table:
    """Return trades of the wire as whole numbers: ``instrument, trade_id, at, price, size, side``."""
    return pa.table(
        {
            "instrument": pc.binary_join_element_wise(rows["symbol"], rows["venue"], "@").dictionary_encode(),
            "trade_id": rows["trade_id"],
            "at": rows["event_time"].cast(pa.int64()),
            "price": whole(rows["price"]),
            "size": whole(rows["size"]),
            "side": pc.if_else(pc.equal(rows["aggressor"], "buy"), 1, -1).cast(pa.int8()),
        }
    ).unify_dictionaries()


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return decimals as whole numbers of their last place; they have to fit into 64 bits."""
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    halves = np.frombuffer(flat.buffers()[1], np.int64)
    return pa.array(halves[2 * flat.offset : 2 * (flat.offset + len(flat)) : 2])


def as_polars(table: pa.Table) -> pl.DataFrame:
    """Return a table as a Polars frame, instruments as categories."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes no series
    return frame.with_columns(pl.col("instrument").cast(pl.Categorical)).rechunk()


def told_bars(kept: Iterable[tuple[str, bytes]]) -> dict[str, pl.DataFrame]:
    """Return the newest revision of each bar that was told, by interval."""
    rows = _rows(kept, "bars", Bar)
    table = pa.table(
        {
            "instrument": rows["instrument"],
            "interval": rows["interval"],
            "start": rows["starts_at"].cast(pa.int64()),
            "known": rows["knowledge_time"].cast(pa.int64()),
            "notional": rows["notional"].cast(pa.float64()).combine_chunks(),
            **{name: _integers(rows[name]) for name in WHOLE},
        }
    )
    bars: Any = pl.from_arrow(table)
    newest = bars.sort("known").unique(["instrument", "interval", "start"], keep="last").drop("known")
    return {name: newest.filter(pl.col("interval") == name).drop("interval").sort(_KEY) for name in INTERVALS}


def told_features(kept: Iterable[tuple[str, bytes]]) -> pl.DataFrame:
    """Return the newest value of each feature that was told, a column each."""
    rows = _rows(kept, "features-raw", FeatureValue)
    table = rows.set_column(2, "start", pc.subtract(rows["event_time"].cast(pa.int64()), INTERVALS["1m"]))
    values: Any = pl.from_arrow(table)
    newest = values.sort("knowledge_time").unique(["instrument", "feature", "start"], keep="last")
    wide: pl.DataFrame = newest.pivot("feature", index=_KEY, values="value").sort(_KEY)
    return wide


def hold_bars(who: str, told: dict[str, pl.DataFrame], others: dict[str, Any]) -> int:
    """Compare all bars; return how many there are.

    Raises
    ------
    RecomputationDiffersError
        Naming who, and what differs.
    """
    for interval, bars in told.items():
        theirs = _sorted(others[interval])
        _hold(who, f"number of {interval} bars", np.array([bars.height != theirs.height]))
        for name in (*_KEY, *WHOLE):
            _hold(who, f"{name} of {interval} bars", bars[name].to_numpy() != theirs[name].to_numpy())
        _hold(who, f"notional of {interval} bars", _apart(bars["notional"], theirs["notional"] / 1e16))
    return sum(bars.height for bars in told.values())


def hold_features(who: str, told: pl.DataFrame, others: Any) -> int:
    """Compare all features; return how many values there are that are defined.

    Raises
    ------
    RecomputationDiffersError
        Naming who, and what differs.
    """
    theirs = _sorted(others)
    for name in FEATURES:
        _hold(who, name, _apart(told[name], theirs[name]))
    return int(sum(told[name].count() for name in FEATURES))


def _rows(kept: Iterable[tuple[str, bytes]], stream: str, kind: type[Any]) -> pa.Table:
    return pa.Table.from_batches([unpack(data, kind).rows for name, data in kept if name.endswith(stream)])


def _integers(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_decimal(column.type):
        return whole(column)
    return column.cast(pa.int64()).combine_chunks()


def _sorted(frame: Any) -> pl.DataFrame:
    made: Any = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
    told: pl.DataFrame = made.with_columns(pl.col("instrument").cast(pl.String)).sort(_KEY)
    return told


def _apart(ours: pl.Series, theirs: pl.Series) -> Any:
    """Return where two columns differ in their first nine digits; undefined is equal to undefined."""
    one, other = (side.cast(pl.Float64).fill_null(float("nan")).to_numpy() for side in (ours, theirs))
    return ~np.isclose(one, other, rtol=DIGITS, atol=1e-12, equal_nan=True)


def _hold(who: str, what: str, differs: Any) -> None:
    wrong = int(np.count_nonzero(differs))
    if wrong:
        raise RecomputationDiffersError(who=who, what=what, wrong=wrong, rows=len(differs))
