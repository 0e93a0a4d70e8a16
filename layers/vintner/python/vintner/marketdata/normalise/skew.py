"""Clock skew by source: how far the receiver's clock is from the venue's, seen in the delays of its records.

1.  A record's delay is its receipt less its event. What the network takes is positive, so a least delay below zero
    can only be the clocks: the receiver's is behind the venue's by at least that much.
2.  Of each source (venue and producer) the newest records are remembered, so many and no more, as they come. Which
    they are does not depend on how the stream was cut into batches.
3.  A measurement looks at those of them received within the window before the newest receipt, and takes the least
    and the median delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.marketdata.normalise.errors import SkewStateError

WINDOW: Final = timedelta(minutes=5)
MOST: Final = 1_024

_FORMAT: Final = b"vintner-skew-1"
_SOURCE: Final = ("venue", "producer")
_STATE: Final = pa.schema(
    [(name, pa.string()) for name in _SOURCE] + [("received", pa.int64()), ("delay", pa.int64())],
    metadata={b"format": _FORMAT},
)
_MICROSECOND: Final = timedelta(microseconds=1)
_Recent = tuple[pa.Int64Array, pa.Int64Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """What the delays of one source say.

    Parameters
    ----------
    venue, producer
        The source.
    records
        Number of records looked at.
    least, median
        Least and median delay; of an even number the earlier one of the middle two.
    """

    venue: str
    producer: str
    records: int
    least: timedelta
    median: timedelta

    @property
    def behind(self) -> timedelta:
        """How far the receiver's clock is behind the venue's, at least; zero where nothing shows it."""
        return max(-self.least, timedelta(0))


class SkewMeter:
    """Measures delays by source over a sliding window.

    Parameters
    ----------
    window
        Span of receipt a measurement looks at.
    most
        Number of records remembered of each source.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2024, 8, 8, 23, 54, tzinfo=UTC)
    >>> instant = pa.timestamp("us", tz="UTC")
    >>> rows = pa.table({"venue": ["binance-spot"], "producer": ["ws/1"], "event_time": pa.array([at], instant),
    ...                  "received_at": pa.array([at - timedelta(seconds=1.27)], instant)})
    >>> meter = SkewMeter()
    >>> meter.observe(rows)
    >>> [one.behind.total_seconds() for one in meter.measure()]
    [1.27]
    """

    def __init__(self, window: timedelta = WINDOW, most: int = MOST) -> None:
        self._window = window // _MICROSECOND
        self._most = most
        self._recent: dict[tuple[str, str], _Recent] = {}

    def observe(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Take in records in the order they came: columns venue, producer, event_time, received_at.

        A record without one of the four is passed over. Take in what was sent, also what normalisation refuses: a
        clock that is off by hours shows nowhere else.
        """
        table = (pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows).combine_chunks()
        received, event = (_microseconds(table[clock]) for clock in ("received_at", "event_time"))
        told = pa.table([*(_flat(table[name]) for name in _SOURCE), received, pc.subtract(received, event)], _STATE)
        for venue, producer, newest in _by_source(told.drop_null(), self._most):
            self._add((venue, producer), newest)

    def measure(self) -> list[Skew]:
        """Return what is known of each source, in the order of venue and producer."""
        return [self._measured(venue, producer) for venue, producer in sorted(self._recent)]

    def dump(self) -> bytes:
        """Return the state. A meter that loads it goes on as this one would."""
        tables = [
            pa.table([pa.repeat(name, len(delay)) for name in source] + [received, delay], schema=_STATE)
            for source, (received, delay) in sorted(self._recent.items())
        ]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, _STATE, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            for table in tables:
                writer.write_table(table)
        return bytes(sink.getvalue())

    def load(self, state: bytes) -> None:
        """Replace the state by one that :meth:`dump` returned.

        Raises
        ------
        SkewStateError
            The bytes are no such state.
        """
        try:
            table = pa.ipc.open_stream(state).read_all()
        except (pa.ArrowException, OSError) as cause:
            raise SkewStateError(problem="cannot be read") from cause
        if not table.schema.equals(_STATE, check_metadata=True):
            raise SkewStateError(problem="is of another version")
        self._recent = {}
        for venue, producer, newest in _by_source(table, self._most):
            self._add((venue, producer), newest)

    def _add(self, source: tuple[str, str], newest: _Recent) -> None:
        held = self._recent.get(source)
        if held is not None and len(newest[0]) < self._most:
            newest = _last(pa.concat_arrays([held[0], newest[0]]), pa.concat_arrays([held[1], newest[1]]), self._most)
        self._recent[source] = newest

    def _measured(self, venue: str, producer: str) -> Skew:
        received, delay = self._recent[venue, producer]
        within = pc.greater(received, pc.max(received).as_py() - self._window)
        delays = sorted(delay.filter(within).to_pylist())
        least, median = (delays[place] * _MICROSECOND for place in (0, (len(delays) - 1) // 2))
        return Skew(venue=venue, producer=producer, records=len(delays), least=least, median=median)


def _by_source(rows: pa.Table, most: int) -> list[tuple[str, str, _Recent]]:
    """Return the newest records of each source there is."""
    sources = rows.select(_SOURCE).group_by(list(_SOURCE), use_threads=False).aggregate([])
    found = []
    for venue, producer in zip(*(sources[name].to_pylist() for name in _SOURCE), strict=True):
        own = rows
        if sources.num_rows > 1:
            own = rows.filter(pc.and_(pc.equal(rows["venue"], venue), pc.equal(rows["producer"], producer)))
        found.append((venue, producer, _last(_flat(own["received"]), _flat(own["delay"]), most)))
    return found


def _last(received: pa.Int64Array, delay: pa.Int64Array, most: int) -> _Recent:
    """Return the last records in arrays of their own, so that no batch is held by a few rows of it."""
    start = max(len(received) - most, 0)
    return pa.concat_arrays([received[start:]]), pa.concat_arrays([delay[start:]])


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _microseconds(column: pa.ChunkedArray) -> pa.Int64Array:
    return _flat(column).view(pa.int64())
