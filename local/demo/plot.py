"""Draws first print against latest revision, and how one period's value moved as it was stated anew."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from local.demo.macro import Picture

INK: Final = "#22313f"
QUIET: Final = "#8795a1"
FIRST: Final = "#e4572e"
LATEST: Final = "#17527a"
BACKGROUND: Final = "#fbfaf7"
DPI: Final = 160


def draw(picture: Picture, path: Path) -> None:
    """Write the picture as PNG.

    Examples
    --------
    >>> draw(picture, Path("build/demo/vintages.png"))  # doctest: +SKIP
    """
    figure = Figure(figsize=(13.0, 6.4), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    wide, narrow = figure.subplots(1, 2, width_ratios=(1.55, 1.0))
    figure.subplots_adjust(left=0.055, right=0.975, top=0.74, bottom=0.11, wspace=0.16)
    _titles(figure, picture)
    _periods(wide, picture)
    _versions(narrow, picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, facecolor=BACKGROUND)


def _titles(figure: Figure, picture: Picture) -> None:
    question = picture.question
    first, latest = picture.as_known[0], picture.as_known[-1]
    figure.text(0.055, 0.925, question.title, fontsize=19, fontweight="bold", color=INK)
    told = (
        f"{question.period} was {_number(first, question.unit)} when it was first known. "
        f"Today it is {_number(latest, question.unit)}. A model trained on today's number saw the future."
    )
    figure.text(0.055, 0.865, told, fontsize=12, color=INK)


def _periods(axes: Axes, picture: Picture) -> None:
    question = picture.question
    at = [_day(period) for period in picture.periods]
    _style(axes, "First print against latest revision, by period")
    axes.vlines(at, picture.first, picture.latest, color=QUIET, linewidth=1.4, alpha=0.55, zorder=1)
    axes.plot(at, picture.latest, color=LATEST, linewidth=2.0, zorder=2)
    axes.plot(at, picture.latest, "o", color=LATEST, markersize=5.5, label="as it stands today", zorder=4)
    axes.plot(at, picture.first, "o", markerfacecolor=BACKGROUND, markeredgecolor=FIRST, markeredgewidth=1.8,
              markersize=6.5, label="first print", zorder=3)  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 1.005), ncols=2, frameon=False, fontsize=10.5,
                handletextpad=0.3, labelcolor=INK)  # fmt: skip
    _dates(axes)
    place = picture.periods.index(question.event)
    x, first, latest = at[place], picture.first[place], picture.latest[place]
    axes.axvspan(x - 40, x + 40, color=FIRST, alpha=0.08, linewidth=0)
    low, high = _roomy(axes, [*picture.first, *picture.latest])
    left = x - (at[-1] - at[0]) * 0.30
    axes.annotate(
        f"{question.period}\nfirst  {_number(first, question.unit)}\ntoday  {_number(latest, question.unit)}",
        xy=(x, latest), xytext=(left, low + (high - low) * 0.10), fontsize=11, color=INK, linespacing=1.45,
        va="bottom", arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.9, "shrinkB": 5,
                                 "connectionstyle": "arc3,rad=-0.12"},
    )  # fmt: skip
    axes.set_ylabel(_axis(picture), color=QUIET, fontsize=10)


def _versions(axes: Axes, picture: Picture) -> None:
    question = picture.question
    _style(axes, f"{question.period}, as it was known at each date")
    known = [_day(instant) for instant in (*picture.known_at, picture.today)]
    values = [*picture.as_known, picture.as_known[-1]]
    axes.step(known, values, where="post", color=LATEST, linewidth=2.2, zorder=2)
    low, high = _roomy(axes, values)
    shown = set()
    for instant in question.known_at:
        value = _at(picture, instant)
        axes.plot(_day(instant), value, "o", markerfacecolor=BACKGROUND, markeredgecolor=FIRST, markeredgewidth=2,
                  markersize=8, zorder=3)  # fmt: skip
        label = f"{instant:%Y-%m-%d}  {_number(value, question.unit)}"
        if label not in shown:
            below = value < (low + high) / 2 and instant != question.known_at[0]
            axes.annotate(label, xy=(_day(instant), value), xytext=(9, -15 if below else 7), fontsize=10, color=FIRST,
                          textcoords="offset points")  # fmt: skip
        shown.add(label)
    axes.plot(known[-1], values[-1], "o", color=LATEST, markersize=8, zorder=3)
    axes.annotate(f"today  {_number(values[-1], question.unit)}", xy=(known[-1], values[-1]), xytext=(5, -20),
                  textcoords="offset points", ha="right", fontsize=10, color=LATEST)  # fmt: skip
    _dates(axes)


def _style(axes: Axes, title: str) -> None:
    axes.set_facecolor(BACKGROUND)
    axes.set_title(title, loc="left", fontsize=12, color=INK, pad=24, fontweight="bold")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.grid(axis="y", color=QUIET, alpha=0.18)
    axes.tick_params(colors=QUIET, labelsize=10, length=0)
    axes.axhline(0, color=QUIET, linewidth=0.9, alpha=0.8, zorder=0)


def _dates(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=5, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _roomy(axes: Axes, values: list[float]) -> tuple[float, float]:
    """Leave air above and below; a zero line far from the values is not forced into view."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    margin = (high - low) * 0.16 or abs(high) * 0.1 or 1.0
    axes.set_ylim(low - margin, high + 1.4 * margin)
    return axes.get_ylim()


def _at(picture: Picture, instant: datetime) -> float:
    """Return the value as known at an instant."""
    known = [value for at, value in zip(picture.known_at, picture.as_known, strict=True) if at <= instant]
    return known[-1] if known else float("nan")


def _axis(picture: Picture) -> str:
    change = "change on the period before" if picture.question.measure == "growth" else "level"
    return f"{change}, {picture.question.unit}" if picture.question.unit else change


def _number(value: float, unit: str) -> str:
    shown = f"{value:+,.2f}" if unit == "%" else f"{value:,.2f}"
    return f"{shown} {unit}".strip().replace("-", "\N{MINUS SIGN}")


def _day(instant: datetime) -> float:
    number: float = date2num(instant)  # type: ignore[no-untyped-call]
    return number
