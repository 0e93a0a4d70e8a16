"""The kernel's shared library: found beside this file, its structures and functions told to ctypes.

``make env`` compiles it for this machine, a layer carries the one compiled for its architecture.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from ctypes import POINTER, Structure, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from vintner.errors import VintnerError

LEVELS: Final = 4
"""``LEVELS`` of kernel.h: bounds per 8, 64, 512 and 4096 events."""

LONGEST_SPAN: Final = 2**63 - 1
"""In place of a ttl or a span: none."""

_SUFFIX: Final = {"linux": "so", "darwin": "dylib", "win32": "dll"}
_MACHINE: Final = {"amd64": "x86_64", "arm64": "aarch64"}


class KernelMissingError(VintnerError, ImportError):
    """The kernel was not compiled for this machine."""

    template = "the compiled kernel {path} is missing; `make env` makes it for this machine"


class FactsStruct(Structure):
    """``Facts`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        ("rows", c_int64),
        ("keys", c_int64),
        *((name, c_void_p) for name in ("key", "event", "known", "seq", "system", "dead")),
        ("dead_offset", c_int64),
        ("surplus", c_void_p),
        ("known_to", c_int64),
        ("system_to", c_int64),
    ]


class IndexStruct(Structure):
    """``Index`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        *((name, c_int64) for name in ("keys", "events", "versions")),
        *((name, c_void_p) for name in ("key_first", "event", "version", "system")),
        ("known_after", c_void_p * LEVELS),
        ("block_end", c_void_p),
    ]


class SpineStruct(Structure):
    """``Spine`` of kernel.h."""

    _fields_: ClassVar[list[Any]] = [
        ("rows", c_int64),
        *((name, c_void_p) for name in ("code", "key_of", "time", "known")),
        ("known_at", c_int64),
        ("system", c_void_p),
        ("delay", c_int64),
        ("ttl", c_int64),
    ]


def file_name(system: str = sys.platform, machine: str | None = None) -> str:
    """Return the name of the library for an operating system (as ``sys.platform`` says it) and a machine.

    Examples
    --------
    >>> file_name("linux", "aarch64"), file_name("darwin", "arm64")
    ('kernel-linux-aarch64.so', 'kernel-darwin-aarch64.dylib')
    """
    machine = (machine or platform.machine()).lower()
    return f"kernel-{system}-{_MACHINE.get(machine, machine)}.{_SUFFIX.get(system, 'so')}"


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
    index, spine = POINTER(IndexStruct), POINTER(SpineStruct)
    for name, arguments in {
        "vintner_index": [POINTER(FactsStruct), index, c_void_p, c_int64],
        "vintner_look_up": [index, spine, c_void_p, c_void_p, c_void_p],
        "vintner_windows": [index, spine, c_int64, c_int64, c_void_p, c_void_p],
        "vintner_vintage": [index, c_void_p],
        "vintner_next": [index, c_int64, c_void_p],
    }.items():
        function = getattr(kernel, name)
        function.argtypes, function.restype = arguments, c_int64
    return kernel
