"""The tables of the story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from local.demo.model import Material
from local.demo.report import Audit, Counts, MacroStory, Online, PathLine, Report, Trouble
from local.demo.screen import Screen, mark, zero

SAMPLE: int = 6


def show_material(screen: Screen, material: Material) -> None:
    """Show what was read, and how each source's knowledge time was decided."""
    rows = [(feed.dataset, feed.name, feed.rows, len(feed.entities), feed.known_by_rule) for feed in material.feeds]
    screen.table("Read", ("dataset", "source", "versions", "entities", "when a value counts as known"), rows)
    for note in material.notes:
        screen.say(f"[dim]{note}[/dim]")


def show_records(screen: Screen, records: Counts, by_dataset: Mapping[str, Counts], bad: int) -> None:
    """Show what became of what was sent."""
    rows: list[tuple[object, ...]] = [
        (name, counts.sent, counts.kept, counts.duplicates, counts.quarantined, zero(counts.unaccounted))
        for name, counts in by_dataset.items()
    ]
    rows.append(("bad on purpose", bad, 0, 0, bad, zero(0)))
    rows.append(("[bold]all", records.sent, records.kept, records.duplicates, records.quarantined,
                 zero(records.unaccounted)))  # fmt: skip
    screen.table("Records", ("dataset", "sent", "kept", "duplicates", "quarantined", "lost"), rows)


def show_trouble(screen: Screen, trouble: Trouble, refused: Mapping[str, int]) -> None:
    """Show the trouble made on purpose and where it ended, and what the data itself had wrong."""
    screen.say(
        f"On purpose: {trouble.duplicates:,} records twice, {trouble.late:,} too late, "
        f"{trouble.moved_batches:,} batches out of order. None of it changes an answer."
    )
    rows = [(mark(bad.quarantined), bad.kind, bad.rule, bad.remedy) for bad in trouble.bad]
    screen.table("Quarantine", ("", "what was wrong", "rule", "what to do about it"), rows)
    own = Counter(refused) - Counter(bad.rule for bad in trouble.bad if bad.quarantined)
    for rule, count in own.most_common():
        screen.say(f"[bold]{count:,}[/] records of the data itself are quarantined too: {rule}")


def show_macro(screen: Screen, story: MacroStory) -> None:
    """Show one period as it was known, beside what it is said to be today."""
    rows = [(f"{answer.known_at:%Y-%m-%d}", answer.level, answer.previous, _number(answer.answer, story.unit))
            for answer in story.as_known]  # fmt: skip
    rows.append(("[bold]today", story.today.level, story.today.previous, _number(story.today.answer, story.unit)))
    screen.table(
        f"{story.title}: {story.period}",
        ("known at", "level", "period before", "answer"),
        rows,
        caption=f"{story.versions} versions of one number; both levels always from the same vintage",
    )


def show_features(screen: Screen, table: pa.Table, symbol: str) -> None:
    """Show some rows of the feature table of one symbol."""
    rows = [row for row in table.to_pylist() if row["entity"] == symbol]
    step = max(1, len(rows) // SAMPLE)
    names = [name for name in table.column_names if name != "entity"]
    shown = [[f"{row['time']:%Y-%m-%d %H:%M}", *(row[name] for name in names[1:])] for row in rows[::step]]
    caption = f"{len(shown)} of {table.num_rows:,} rows; each cell is what was known at its row's time (-: nothing)"
    screen.table(f"Features of {symbol}, as known", ("decided at (UTC)", *names[1:]), shown, caption=caption)


def show_paths(screen: Screen, paths: Sequence[PathLine], online: Online) -> None:
    """Show how the ways of asking compare."""
    rows: list[tuple[object, ...]] = [
        (line.question, line.path, line.rows, line.cells or None, zero(line.differing), f"{line.seconds:.2f} s")
        for line in paths
    ]
    rows.append(("every symbol, now", "online store", online.symbols, online.cells, zero(online.differing),
                 f"{online.seconds:.2f} s"))  # fmt: skip
    columns = ("question", "asked by", "rows", "cells compared", "differing", "took")
    screen.table("One question, several ways to ask", columns, rows, caption="compared with the library, bit by bit")


def show_audit(screen: Screen, audit: Audit) -> None:
    """Show what the audits found."""
    rows = [
        ("as made", audit.cells, 0, audit.findings, zero(audit.findings), zero(audit.findings)),
        ("with leaks planted", audit.cells, audit.planted, audit.found, zero(audit.missed), zero(audit.false_alarms)),
    ]
    screen.table("Leak audit", ("table", "cells", "planted", "found", "missed", "false alarms"), rows)
    for example in audit.examples:
        screen.say(f"[dim]{example}[/dim]")


def show_end(screen: Screen, report: Report, path: Path, plot: Path) -> None:
    """Close with every check and where to look further."""
    lines = [f"{mark(check.passed)} {check.name}  [dim]{check.detail}[/dim]" for check in report.checks]
    seconds = sum(timing.seconds for timing in report.timings)
    slow = sorted(report.timings, key=lambda timing: -timing.seconds)[:3]
    lines += [
        "",
        f"[bold]{seconds:.0f} s[/bold] in all; the longest: "
        + ", ".join(f"{_short(timing.step)} {timing.seconds:.1f} s" for timing in slow),
        f"Report [bold]{path}[/bold]   Picture [bold]{plot}[/bold]",
    ]
    good = not report.failed
    title = "Every number, as it was known" if good else f"{len(report.failed)} checks failed"
    screen.end(title, lines, good=good)


def _short(step: str) -> str:
    """Return the beginning of a step's sentence."""
    first = step.split(": ")[0].split(", ")[0]
    return first[:1].lower() + first[1:]


def _number(value: float, unit: str) -> str:
    return f"[bold]{value:+.2f} {unit}[/]" if unit == "%" else f"[bold]{value:,.2f} {unit}[/]"
