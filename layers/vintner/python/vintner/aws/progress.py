"""A line on standard error that says how far a command is: redrawn on a terminal, else one each tenth."""

from __future__ import annotations

import sys
from typing import Final, TextIO

_WIDTH: Final = 30
_TENTH: Final = 10


class ProgressLine:
    """Shows how much of something is done.

    Parameters
    ----------
    out
        Where to; standard error if left out.

    Examples
    --------
    >>> line = ProgressLine(sys.stdout)
    >>> for done in range(5):
    ...     line("replaying", done, 4)
    replaying: 0 of 4
    replaying: 1 of 4
    replaying: 2 of 4
    replaying: 3 of 4
    replaying: 4 of 4
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._last: tuple[str, int] | None = None

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Tell how many of how many (None: not known yet) are done."""
        if self._out.isatty():
            self._redraw(what, done, total)
        elif total and (what, done * _TENTH // total) != self._last:
            self._last = what, done * _TENTH // total
            self._out.write(f"{what}: {done:,} of {total:,}\n")
        self._out.flush()

    def _redraw(self, what: str, done: int, total: int | None) -> None:
        filled = _WIDTH * done // total if total else 0
        bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] " if total else ""
        of = f" of {total:,}" if total else ""
        end = "\n" if total and done >= total else ""
        self._out.write(f"\r\x1b[2K{what}: {bar}{done:,}{of}{end}")
