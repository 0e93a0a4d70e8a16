"""The compiled part: the index of a fact table, and reads that walk it (``index.c``, ``reads.c``)."""

from vintner.bitemporal.kernel.index import Answers, Asking, Columns, FactIndex, Windows
from vintner.bitemporal.kernel.native import KernelMissingError

__all__ = ["Answers", "Asking", "Columns", "FactIndex", "KernelMissingError", "Windows"]
