"""The engine of trades: bars of seven intervals, rolling features, duplicates and gaps, lane by lane.

The work is done by the compiled kernel; ``kernel/trades.c`` tells in steps what becomes of a row. What comes out
depends on the rows of each lane and their order, on nothing else.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final, Protocol

import pyarrow as pa

from vintner.marketdata.calendars import INTERVALS
from vintner.marketdata.engine.config import EngineConfig
from vintner.marketdata.engine.output import EngineOutput, nothing_told, told_by
from vintner.marketdata.engine.rows import as_batch, fault_of, kernel_rows
from vintner.marketdata.engine.state import packed, refused, unpacked
from vintner.marketdata.kernel.native import MOST_LANES, CalendarStruct, ConfigStruct, FaultStruct, library

_REFUSALS: Final = {-2: "it was written by another version", -3: "its parts do not fit together"}


class Sessions(Protocol):
    """Sessions of exchanges by the number of their calendar; ``SessionTable`` is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Calendars by number."""

    def opens(self, number: int, /) -> pa.Int64Array:
        """When the sessions of a calendar open, microseconds since the epoch, growing."""

    def closes(self, number: int, /) -> pa.Int64Array:
        """When they close."""


class TradeEngine:
    """State of lanes of trades, and what follows from each further row.

    Parameters
    ----------
    config
        Ticks, horizons, memory.
    sessions
        Sessions that the rows' ``calendar`` numbers.

    Notes
    -----
    Not safe for several threads at once. Memory follows the number of instruments, not the length of the stream.

    Examples
    --------
    >>> from vintner.marketdata.calendars import load_sessions
    >>> engine = TradeEngine(EngineConfig(), load_sessions())
    >>> engine.lanes
    set()
    """

    def __init__(self, config: EngineConfig, sessions: Sessions) -> None:
        self.config: Final = config
        numbers = range(len(sessions.names))
        self._sessions = [(sessions.opens(number), sessions.closes(number)) for number in numbers]
        calendars = (CalendarStruct * len(self._sessions))(*(_calendar(*pair) for pair in self._sessions))
        kernel = library()
        handle = kernel.vintner_trades_new(ctypes.byref(_config(config)), calendars, len(self._sessions))
        if not handle:
            raise MemoryError
        self._handle: Final = int(handle)
        weakref.finalize(self, kernel.vintner_trades_free, handle)

    @property
    def lanes(self) -> set[int]:
        """Lanes the engine has state of."""
        kernel = library()
        room = kernel.vintner_trades_lanes(self._handle, None, 0)
        numbers = (ctypes.c_int32 * room)()
        kernel.vintner_trades_lanes(self._handle, numbers, room)
        return set(numbers)

    def apply(self, rows: pa.RecordBatch | pa.Table) -> EngineOutput:
        """Take rows in the order delivered; return what they make known.

        Parameters
        ----------
        rows
            Columns as in ``vintner.marketdata.engine.INPUT``; others are passed over.

        Raises
        ------
        EngineRowsError
            A column or a row is not what normalisation makes; nothing was taken.
        """
        batch = as_batch(rows)
        if not batch.num_rows:
            return nothing_told()
        written = pa.allocate_buffer(batch.num_rows)
        kernel, struct, fault = library(), kernel_rows(batch), FaultStruct()
        if kernel.vintner_trades_check(self._handle, ctypes.byref(struct), ctypes.byref(fault)):
            raise fault_of(fault)
        if kernel.vintner_trades_apply(self._handle, ctypes.byref(struct), written.address) < 0:
            raise MemoryError
        verdicts = pa.Array.from_buffers(pa.uint8(), batch.num_rows, [None, written], null_count=0)
        return told_by(self._handle, verdicts)

    def dump(self, lanes: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the state of lanes, of all if none are named; lanes it has no state of are left out."""
        held = self.lanes
        return {lane: self._dumped(lane) for lane in (sorted(held) if lanes is None else lanes) if lane in held}

    def load(self, blobs: Mapping[int, bytes]) -> None:
        """Take over states that :meth:`dump` returned, in place of what it has of those lanes.

        Raises
        ------
        EngineStateError
            A state is not whole, or of another version.
        """
        for lane, blob in blobs.items():
            if not 0 <= lane < MOST_LANES:
                raise refused(lane, f"its number is not below {MOST_LANES:,}")
            raw = unpacked(blob, lane=lane)
            answer = library().vintner_trades_load(self._handle, lane, raw, len(raw))
            if answer == -1:
                raise MemoryError
            if answer < 0:
                raise refused(lane, _REFUSALS[answer])

    def forget(self, lanes: Iterable[int]) -> None:
        """Let go of the state of lanes."""
        for lane in lanes:
            if lane >= 0:
                library().vintner_trades_forget(self._handle, lane)

    def _dumped(self, lane: int) -> bytes:
        begin = ctypes.c_void_p()
        size = library().vintner_trades_dump(self._handle, lane, ctypes.byref(begin))
        if size < 0 or begin.value is None:
            raise MemoryError
        return packed(ctypes.string_at(begin.value, size))


def _config(config: EngineConfig) -> ConfigStruct:
    return ConfigStruct(
        tick=_microseconds(config.tick),
        grace=_microseconds(config.grace),
        horizon=tuple(_microseconds(config.horizons[interval]) for interval in INTERVALS),
        ids=config.ids,
        holes=config.holes,
    )


def _calendar(opens: pa.Int64Array, closes: pa.Int64Array) -> CalendarStruct:
    return CalendarStruct(sessions=len(opens), open=_address(opens), close=_address(closes))


def _address(array: pa.Int64Array) -> int | None:
    values = array.buffers()[1]
    return None if values is None else values.address + 8 * array.offset


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
