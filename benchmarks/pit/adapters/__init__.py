"""The systems that are measured, one file each."""

from benchmarks.pit.adapters.base import Adapter, Answer, CannotAnswerError, SystemNotHereError
from benchmarks.pit.adapters.registry import ADAPTERS, UnknownSystemError, adapters

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Answer",
    "CannotAnswerError",
    "SystemNotHereError",
    "UnknownSystemError",
    "adapters",
]
