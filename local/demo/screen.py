"""What a person sees while the demonstration runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.demo.report import Timing

ACCENT = "dark_orange3"
GOOD, BAD = "green", "bold red"
_MARGIN = 6

OnLine = Callable[[str], None]
OnCount = Callable[[str, int], None]


class Screen:
    """Steps with their time, tables, and progress bars.

    Parameters
    ----------
    to_stderr
        Keep standard output free for a program.
    """

    def __init__(self, *, to_stderr: bool = False) -> None:
        self.console = Console(stderr=to_stderr, highlight=False)
        self.timings: list[Timing] = []

    def title(self, text: str, told: str) -> None:
        """Open with a title and a sentence."""
        body = Group(Text(text, style=f"bold {ACCENT}"), Text(told, style="dim"))
        self.console.print(Panel(body, box=box.ROUNDED, border_style=ACCENT, padding=(0, 2)))

    def chapter(self, text: str) -> None:
        """Begin a new part of the story."""
        self.console.print()
        self.console.rule(f"[bold {ACCENT}]{escape(text)}", align="left", style="dim")

    def say(self, text: str) -> None:
        """Print a sentence; markup is allowed."""
        self.console.print(Padding(text, (0, 0, 0, 2)))

    @contextmanager
    def step(self, what: str) -> Iterator[OnLine]:
        """Show that ``what`` goes on, its newest line beside it, and when it is done how long it took."""
        with self.console.status(escape(what), spinner_style=ACCENT) as spinner, self._timed(what):
            room = max(0, self.console.width - len(what) - _MARGIN)  # one line, or the terminal flickers
            yield lambda line: spinner.update(f"{escape(what)}  [dim]{escape(line[:room])}[/dim]")

    @contextmanager
    def counting(self, what: str, totals: dict[str, int]) -> Iterator[OnCount]:
        """Show a bar for each name in ``totals``; yields a function that takes a name and how far it is."""
        columns = (
            SpinnerColumn(style=ACCENT),
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=42, complete_style=ACCENT, finished_style=GOOD),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with self._timed(what), Progress(*columns, console=self.console, transient=True) as progress:
            bars = {name: progress.add_task(escape(name), total=total) for name, total in totals.items() if total}

            def show(name: str, done: int) -> None:
                if name in bars:
                    progress.update(bars[name], completed=done)

            yield show

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
        """Print a table: the first column to the left, numbers to the right, a cell may carry markup."""
        table = Table(title=title, caption=caption or None, box=box.SIMPLE_HEAD, title_justify="left",
                      caption_justify="left", title_style="bold", header_style=ACCENT, pad_edge=False)  # fmt: skip
        for place, name in enumerate(columns):
            cells = [row[place] for row in rows if row[place] is not None]
            is_number = bool(cells) and all(_is_number(cell) for cell in cells)
            table.add_column(name, justify="right" if is_number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_shown(cell) for cell in row))
        self.console.print(Padding(table, (1, 0, 0, 2)))

    def end(self, title: str, lines: Sequence[str], *, good: bool) -> None:
        """Close with a summary."""
        style = GOOD if good else "red"
        body = Group(*(Text.from_markup(line) for line in lines))
        self.console.print()
        self.console.print(Panel(body, title=title, title_align="left", box=box.ROUNDED, border_style=style,
                                 padding=(1, 2)))  # fmt: skip

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.console.print(f"  [{BAD}]✗[/] {escape(what)}")
            raise
        seconds = time.monotonic() - started
        self.timings.append(Timing(step=what, seconds=round(seconds, 3)))
        self.console.print(f"  [{GOOD}]✓[/] {escape(what)}  [dim]{seconds:.1f} s[/dim]")


def mark(passed: bool) -> str:
    """Return a tick or a cross, as markup."""
    return f"[{GOOD}]✓[/]" if passed else f"[{BAD}]✗[/]"


def zero(count: int) -> str:
    """Return a count that should be 0, as markup."""
    return f"[{GOOD}]0[/]" if count == 0 else f"[{BAD}]{count:,}[/]"


def _is_number(cell: object) -> bool:
    return isinstance(cell, (int, float)) or (isinstance(cell, str) and cell[-3:] == "[/]")


def _shown(cell: object) -> str:
    if isinstance(cell, bool) or cell is None:
        return "-" if cell is None else str(cell).lower()
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
