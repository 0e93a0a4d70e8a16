"""The as-of join against a plain join on event time, on the same sorted data in the same run.

    python -m benchmarks.as_of_join [--spine N] [--facts N] [--entities N] [--repeats N] [--json]

1. Two fact tables, 15 % of their rows revisions, sorted by event time, and a spine sorted by time; the same once more
   with tombstones and future-dated facts among the facts.
2. Vintner's ``as_of_join`` of the spine with both tables, Arrow to Arrow, plain and hard; and Polars' ``join_asof`` on
   event time with both, which is told that its data is sorted, knows one clock, and sees every revision before its
   time. Each with text keys, and with dictionary (categorical) keys.
3. Of Vintner's answers a sample of rows is held against the benchmark's slow reference before anything is timed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks import material
from benchmarks.join_files import hold
from benchmarks.measure import Finding, Result, Timing, at_most, parser, publish, take_turns
from vintner.bitemporal import FactSource, as_of_join

_SAMPLE: Final = 2_000
_TABLES: Final = ("one", "two")


def vintner(spine: pa.Table, facts: dict[str, pa.Table]) -> Callable[[], pa.Table]:
    """Return the bitemporal join, ready to run."""
    sources = [FactSource(facts=table, columns={f"value_{name}": "value"}) for name, table in facts.items()]
    return lambda: as_of_join(spine, sources)


def polars(spine: pa.Table, facts: dict[str, pa.Table]) -> Callable[[], pl.DataFrame]:
    """Return the plain join, ready to run, on frames that know they are sorted."""
    asked = _frame(spine).set_sorted("time")
    said = [
        _frame(table.select(["entity", "event_time", "value"]))
        .rename({"value": f"value_{name}"})
        .set_sorted("event_time")
        for name, table in facts.items()
    ]

    def run() -> pl.DataFrame:
        answer = asked
        for table in said:
            answer = answer.join_asof(
                table, left_on="time", right_on="event_time", by="entity", check_sortedness=False, coalesce=True
            )
        return answer

    return run


def measure(options: argparse.Namespace) -> Result:
    """Make the data, check a sample of the answers, run the contestants."""
    hard_names = {f"hard_{name}": material.HARD for name in _TABLES}
    plain_names = dict.fromkeys(_TABLES, material.PLAIN)
    shape = material.shape(options.facts, options.spine, options.entities, options.seed, **plain_names, **hard_names)
    spine = material.spine_in_memory(shape)
    plain = {name: material.facts_in_memory(shape, name) for name in plain_names}
    hard = {name: material.facts_in_memory(shape, name) for name in hard_names}
    for what, facts in (("plain", plain), ("hard", hard)):
        _check(what, spine, facts)
    coded = (
        material.with_codes(spine),
        *({name: material.with_codes(t) for name, t in f.items()} for f in (plain, hard)),
    )
    timings = take_turns(
        {
            "polars text": polars(spine, plain),
            "vintner text": vintner(spine, plain),
            "vintner hard text": vintner(spine, hard),
            "polars coded": polars(coded[0], coded[1]),
            "vintner coded": vintner(coded[0], coded[1]),
            "vintner hard coded": vintner(coded[0], coded[2]),
        },
        repeats=options.repeats,
    )
    details = {name: getattr(options, name) for name in ("spine", "facts", "entities", "seed")}
    details |= {"seconds": {name: timing.as_dict() for name, timing in timings.items()}}
    return Result("as-of join of a spine with two fact tables", findings(timings, options.spine), details)


def findings(timings: dict[str, Timing], rows: int) -> list[Finding]:
    """Return the ratios to Polars, text keys first: those were promised."""
    best = {name: timing.best for name, timing in timings.items()}
    return [
        at_most("Vintner / Polars join_asof", best["vintner text"] / best["polars text"], 1.0, "times"),
        at_most("Vintner, hard facts / Polars", best["vintner hard text"] / best["polars text"], 1.5, "times"),
        Finding("Vintner / Polars, dictionary keys", best["vintner coded"] / best["polars coded"], "times"),
        Finding("Vintner, hard / Polars, dictionary keys", best["vintner hard coded"] / best["polars coded"], "times"),
        *(Finding(name, seconds, "s") for name, seconds in best.items()),
        Finding("Vintner, spine rows per second", rows / best["vintner text"], "rows/s"),
    ]


def _check(what: str, spine: pa.Table, facts: dict[str, pa.Table]) -> None:
    dice = np.random.default_rng(1)
    rows = pa.array(np.sort(dice.integers(0, spine.num_rows, min(_SAMPLE, spine.num_rows))))
    answer = vintner(spine, facts)().take(rows)
    for name, table in facts.items():
        hold(what, answer, table, f"value_{name}")


def _frame(table: pa.Table) -> pl.DataFrame:
    frame: Any = pl.from_arrow(table)
    return frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.Categorical)).rechunk()  # type: ignore[no-any-return]


def main() -> None:
    """Read the options, measure, print."""
    made = parser("as_of_join against Polars' join_asof on event time")
    made.add_argument("--spine", type=int, default=10_000_000, help="rows of the spine")
    made.add_argument("--facts", type=int, default=1_000_000, help="rows of each fact table, revisions included")
    made.add_argument("--entities", type=int, default=10_000, help="distinct entities")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
