"""What a person sees while a command works, and what it prints at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console as Terminal
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from local.commands import OnEvent

_SHOWN_CHARACTERS = 100


class Console:
    """Progress on standard error, results on standard output: a table, or one JSON document.

    Parameters
    ----------
    is_json
        Print results for a program instead of a person.
    """

    def __init__(self, *, is_json: bool = False) -> None:
        self.is_json = is_json
        self._out = Terminal(highlight=False, soft_wrap=True)
        self._progress = Terminal(stderr=True, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, what: str) -> Iterator[OnEvent]:
        """Show that ``what`` goes on, with the newest line beside it, and how long it took."""
        started = time.monotonic()
        if self._progress.is_terminal:
            with self._progress.status(escape(what)) as spinner:
                yield lambda line: spinner.update(f"{escape(what)}  [dim]{escape(line[:_SHOWN_CHARACTERS])}[/dim]")
        else:
            self._progress.print(f"- {what}", markup=False)
            yield lambda line: self._progress.print(f"    {line}", markup=False)
        self._progress.print(f"[green]✓[/green] {escape(what)} ({time.monotonic() - started:.1f} s)")

    @contextmanager
    def transfer(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how many of ``total`` bytes have come: call what is yielded with the number so far."""
        started = time.monotonic()
        if self._progress.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
            with Progress(*columns, console=self._progress, transient=True) as bar:
                task = bar.add_task(escape(what), total=total)
                yield lambda so_far: bar.update(task, completed=so_far)
        else:
            self._progress.print(f"- {what} ({total / 1e6:.0f} MB)", markup=False)
            yield lambda _: None
        self._progress.print(f"[green]✓[/green] {escape(what)} ({time.monotonic() - started:.1f} s)")

    def result(self, facts: Mapping[str, Any]) -> None:
        """Print the result."""
        if self.is_json:
            print(json.dumps(facts, indent=2, default=str))  # noqa: T201 - this is the command's output
            return
        table = Table(box=box.SIMPLE, show_header=False)
        for name, value in facts.items():
            shown = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(f"[bold]{escape(name.replace('_', ' '))}[/bold]", escape(shown))
        self._out.print(table)

    def hint(self, text: str) -> None:
        """Say what can be done next; only to a person."""
        if not self.is_json:
            self._progress.print(f"[dim]{escape(text)}[/dim]")

    def verdict(self, name: str, findings: str, seconds: float) -> None:
        """Print how one check ended, with all it found."""
        mark = "[red]✗[/red]" if findings else "[green]✓[/green]"
        self._progress.print(f"{mark} {escape(name)} ({seconds:.1f} s)")
        if findings:
            self._progress.print(escape(findings))

    def error(self, message: str) -> None:
        """Print what went wrong and the remedy."""
        self._progress.print(f"[red]error:[/red] {escape(message)}")
