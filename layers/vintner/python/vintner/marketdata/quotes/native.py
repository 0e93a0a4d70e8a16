"""The quote engine's part of the kernel: its structures and functions told to ctypes (``kernel/quotes.h``)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_double, c_int64, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from vintner.bitemporal.kernel.native import KernelMissingError, file_name

VALUES: Final = 5
"""``QUOTE_VALUES`` of quotes.h."""

FOLDER: Final = Path(__file__).parent.parent / "kernel"


class RulesStruct(Structure):
    """``QuoteRules`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [(name, c_int64) for name in ("tick", "grace", "horizon", "interval")]


class SessionsStruct(Structure):
    """``QuoteSessions`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [("count", c_int64), ("opens", c_void_p), ("closes", c_void_p)]


class DecimalsStruct(Structure):
    """``QuoteDecimals`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [("values", c_void_p), ("valid", c_void_p), ("offset", c_int64)]


class RowsStruct(Structure):
    """``QuoteRows`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [
        ("rows", c_int64),
        *((name, c_void_p) for name in ("lane", "instrument", "update_id", "event", "known", "calendar")),
        ("price", DecimalsStruct * 2),
        ("size", DecimalsStruct * 2),
    ]


class ToldStruct(Structure):
    """``QuoteTold`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [("told", c_int64), ("defined", c_int64), ("value", c_double * VALUES)]


class InstrumentStruct(Structure):
    """``QuoteInstrument`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [
        *((name, c_int64) for name in ("instrument", "update_id", "time")),
        ("price", c_int64 * 2),
        ("size", c_int64 * 2),
        *((name, c_int64) for name in ("start", "end", "changed", "quotes", "crossed", "weight")),
        ("spread", c_double),
        ("imbalance", c_double),
        ("flow_low", c_uint64),
        ("flow_high", c_int64),
        ("told", ToldStruct),
    ]


class PendingStruct(Structure):
    """``QuotePending`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [("slot", c_int64), ("end", c_int64), ("told", ToldStruct), ("now", ToldStruct)]


class LaneStruct(Structure):
    """``QuoteLaneState`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [
        *((name, c_int64) for name in ("clock", "stamp", "instruments", "pending")),
        ("instrument", c_void_p),
        ("left", c_void_p),
    ]


class ColumnsStruct(Structure):
    """``QuoteColumns`` of quotes.h."""

    _fields_: ClassVar[list[Any]] = [
        (name, c_void_p) for name in ("lane", "instrument", "feature", "event", "known", "value", "defined")
    ]


@cache
def library() -> ctypes.CDLL:
    """Return the kernel, loaded once.

    Raises
    ------
    KernelMissingError
        It was not compiled for this machine.
    """
    path = FOLDER / file_name()
    if not path.exists():
        raise KernelMissingError(path=str(path))
    kernel = ctypes.CDLL(str(path))
    for name, arguments, answer in (
        ("new", [POINTER(RulesStruct), POINTER(SessionsStruct), c_int64], c_void_p),
        ("free", [c_void_p], None),
        ("apply", [c_void_p, POINTER(RowsStruct), c_void_p], c_int64),
        ("take", [c_void_p, POINTER(ColumnsStruct)], c_int64),
        ("lanes", [c_void_p], c_int64),
        ("save", [c_void_p, c_int64, POINTER(LaneStruct)], c_int64),
        ("load", [c_void_p, c_int64, POINTER(LaneStruct)], c_int64),
        ("forget", [c_void_p, c_int64], c_int64),
    ):
        function = getattr(kernel, f"vintner_quotes_{name}")
        function.argtypes, function.restype = arguments, answer
    return kernel
