"""Draw the growth of one quarter as it was known over time; writes docs/uk-gdp-by-vintage.svg.

python docs/examples/plot_vintages.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from uk_gdp import uk_gdp

from vintner.bitemporal import FactSource, as_of_join

PICTURE = Path(__file__).parents[1] / "uk-gdp-by-vintage.svg"
QUARTERS = {"2008 Q2": (2008, 3, 31, 2008, 6, 30), "2008 Q3": (2008, 6, 30, 2008, 9, 30),
            "2008 Q4": (2008, 9, 30, 2008, 12, 31)}  # fmt: skip
COLOURS = ("#7a8794", "#b4452f", "#2f6f8f")
FONT = 'font-family="sans-serif" font-size="13" fill="#22303a"'
VISIBLE = 0.005
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 420, 60, 120, 70, 40


def growth_as_known(facts: pa.Table, before: datetime, quarter: datetime) -> list[tuple[datetime, float]]:
    """Return, for each instant at which a vintage became known, the quarter's growth as known then, percent.

    Both levels come from one vintage: a growth rate across two base years is a number nobody ever published.
    """
    known = pc.sort_indices(facts["knowledge_time"].unique())
    instants = facts["knowledge_time"].unique().take(known).to_pylist()
    instants = [instant for instant in instants if instant > quarter]
    levels = []
    for event in (before, quarter):
        spine = pa.table({"entity": ["uk.gdpkp"] * len(instants), "time": [event] * len(instants), "known": instants})
        source = FactSource(facts=facts, columns={"level": "value", "event": "event_time"})
        answers = as_of_join(spine, [source], known_at="known")
        levels.append(pc.if_else(pc.equal(answers["event"], pa.scalar(event)), answers["level"], None).to_pylist())
    pairs = zip(instants, *levels, strict=True)
    return [(instant, (now / then - 1) * 100) for instant, then, now in pairs if now is not None and then is not None]


def number(value: float, places: int) -> str:
    """Return a number with its sign, as it is set in print."""
    return f"{value:+.{places}f}".replace("-", "\N{MINUS SIGN}") if value else "0"


def drawn(lines: dict[str, Sequence[tuple[datetime, float]]]) -> str:
    """Return the lines as a picture, a step at each instant at which the value changed."""
    instants = [instant for line in lines.values() for instant, _ in line]
    values = [value for line in lines.values() for _, value in line]
    first, last, low, high = min(instants), max(instants), min(values) - 0.15, max(values) + 0.15

    def x(instant: datetime) -> float:
        return LEFT + (instant - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="30" font-size="19" font-weight="bold">UK GDP, growth on the quarter before</text>',
        f'<text x="{LEFT}" y="52" fill="#5b6a75">as it was known at each date, percent</text>',
    ]
    for value in (half / 2 for half in range(round(low * 2), round(high * 2) + 1)):
        if low < value < high:
            parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#e2e7ea"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{number(value, 1)}</text>')
    for year in range(first.year + 1, last.year + 1, 2):
        place = x(datetime(year, 1, 1, tzinfo=UTC))
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{year}</text>')
    for (name, line), colour in zip(lines.items(), COLOURS, strict=True):
        (start, value), (end, latest) = line[0], line[-1]
        changed = [(at, to) for (_, told), (at, to) in pairwise(line) if abs(to - told) > VISIBLE]
        steps = "".join(f"H{x(at):.1f}V{y(to):.1f}" for at, to in changed) + f"H{x(end):.1f}"
        pen = f'stroke="{colour}" stroke-width="2"'
        parts += [
            f'<path d="M{x(start):.1f} {y(value):.1f}{steps}" fill="none" {pen}/>',
            f'<circle cx="{x(start):.1f}" cy="{y(value):.1f}" r="4" fill="#fff" {pen}/>',
            f'<text x="{WIDTH - RIGHT + 8}" y="{y(latest) + 4:.1f}" fill="{colour}">{name} {number(latest, 2)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def picture() -> str:
    """Return the picture of the quarters around the crisis."""
    facts = uk_gdp()
    lines: dict[str, Sequence[tuple[datetime, float]]] = {}
    for name, (*before, year, month, day) in QUARTERS.items():
        lines[name] = growth_as_known(
            facts, datetime(before[0], before[1], before[2], tzinfo=UTC), datetime(year, month, day, tzinfo=UTC)
        )
    return drawn(lines)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"wrote {PICTURE.name}")
