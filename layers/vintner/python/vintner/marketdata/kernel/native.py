"""The kernel's shared library: found beside this file, its structures and functions told to ctypes.

``make env`` compiles it for this machine, a layer carries the one compiled for its architecture.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from vintner.bitemporal.kernel import KernelMissingError
from vintner.bitemporal.kernel.native import file_name

INTERVALS: Final = 7
"""``INTERVALS`` of kernel.h."""

INPUT_COLUMNS: Final = 13
"""``COLUMNS`` of kernel.h."""

MOST_LANES: Final = 65_536
"""``MOST_LANES`` of trades.c: lanes are numbered from 0 to below it."""

BAR_COLUMNS: Final = (
    "lane", "instrument_ends", "instrument", "interval_ends", "interval", "event_time", "starts_at", "knowledge_time",
    "partial", "open", "high", "low", "close", "volume", "notional", "trades", "buy_volume", "sell_volume", "first_at",
    "first_id", "last_at", "last_id", "priced", "ranged",
)  # fmt: skip
"""``BarColumns`` of kernel.h, each a pointer."""

FEATURE_COLUMNS: Final = (
    "lane", "instrument_ends", "instrument", "feature_ends", "feature", "event_time", "knowledge_time", "value",
    "known",
)  # fmt: skip
"""``FeatureColumns`` of kernel.h, each a pointer."""

GAP_COLUMNS: Final = (
    "lane", "instrument_ends", "instrument", "venue_ends", "venue", "first_missing", "last_missing", "known_at",
    "filled",
)  # fmt: skip
"""``GapColumns`` of kernel.h, each a pointer."""


class ConfigStruct(Structure):
    """``Config`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        ("tick", c_int64),
        ("grace", c_int64),
        ("horizon", c_int64 * INTERVALS),
        ("ids", c_int64),
        ("holes", c_int64),
    ]


class CalendarStruct(Structure):
    """``Calendar`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [("sessions", c_int64), ("open", c_void_p), ("close", c_void_p)]


class ColumnStruct(Structure):
    """``Column`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        ("values", c_void_p),
        ("valid", c_void_p),
        ("text", c_void_p),
        ("offset", c_int64),
    ]


class RowsStruct(Structure):
    """``Rows`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [("rows", c_int64), ("column", ColumnStruct * INPUT_COLUMNS)]


class FaultStruct(Structure):
    """``Fault`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [(name, c_int64) for name in ("row", "column", "rule")]


class CountsStruct(Structure):
    """``Counts`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        (name, c_int64)
        for name in (
            "bars", "bar_text", "bar_intervals", "features", "feature_text", "feature_names", "gaps", "gap_text",
            "gap_venues",
        )
    ]  # fmt: skip


@cache
def library() -> ctypes.CDLL:
    """Return the kernel, loaded once.

    Raises
    ------
    KernelMissingError
        It was not compiled for this machine.
    """
    path = Path(__file__).with_name(file_name())
    if not path.exists():
        raise KernelMissingError(path=str(path))
    kernel = ctypes.CDLL(str(path))
    for name, answer, arguments in (
        ("new", c_void_p, [POINTER(ConfigStruct), POINTER(CalendarStruct), c_int64]),
        ("free", None, [c_void_p]),
        ("check", c_int64, [c_void_p, POINTER(RowsStruct), POINTER(FaultStruct)]),
        ("apply", c_int64, [c_void_p, POINTER(RowsStruct), c_void_p]),
        ("counts", None, [c_void_p, POINTER(CountsStruct)]),
        ("bars", None, [c_void_p, c_void_p]),
        ("features", None, [c_void_p, c_void_p]),
        ("gaps", None, [c_void_p, c_void_p]),
        ("dump", c_int64, [c_void_p, c_int64, POINTER(c_void_p)]),
        ("load", c_int64, [c_void_p, c_int64, c_void_p, c_int64]),
        ("forget", None, [c_void_p, c_int64]),
        ("lanes", c_int64, [c_void_p, POINTER(c_int32), c_int64]),
    ):
        function = getattr(kernel, f"vintner_trades_{name}")
        function.argtypes, function.restype = arguments, answer
    return kernel
