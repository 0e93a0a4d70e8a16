"""The as-of join against a plain join on event time, on the same sorted data in the same run.

    python benchmarks/asof_join.py [--spine N] [--facts N] [--entities N] [--revised SHARE] [--repeats N] [--json]

1. Facts: a daily series per entity, published up to an hour after its event; a share of them revised up to thirty
   days later. Sorted by event time.
2. Spine: random entities at random times. Sorted by time.
3. Measure Vintner's ``as_of_join``, Arrow table to Arrow table, once as it is and once with tombstones and
   future-dated facts among the facts; and Polars' ``join_asof`` on event time, the plain join, which is told that
   its data is sorted and sees every revision before its time. Each the best of the repeats, taking turns.
4. Print the times and the ratios to Polars.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from vintner.bitemporal import INSTANT, FactSource, as_of_join, fact_schema

DAY: Final = 86_400_000_000
HOUR: Final = 3_600_000_000
SCHEMA: Final = fact_schema(pa.schema([("value", pa.float64())]))


def fact_table(facts: int, entities: int, revised: float, seed: int, *, hard: bool) -> pa.Table:
    """Return ``facts`` rows, ``revised`` of them revisions; ``hard`` adds tombstones and future-dated facts."""
    random = np.random.default_rng(seed)
    originals = facts - int(facts * revised)
    number = np.arange(originals)
    entity, event = number % entities, number // entities * DAY + random.integers(0, HOUR, originals)
    known = event + random.integers(0, HOUR, originals)
    if hard:
        early = random.random(originals) < 0.01
        known = np.where(early, event - random.integers(1, 10 * DAY, originals), known)
    again = random.choice(originals, facts - originals, replace=False)
    columns = {
        "entity": np.concatenate([entity, entity[again]]),
        "event": np.concatenate([event, event[again]]),
        "known": np.concatenate([known, known[again] + random.integers(DAY, 30 * DAY, len(again))]),
        "seq": np.concatenate([np.zeros(originals, int), np.ones(len(again), int)]),
        "dead": np.concatenate([np.zeros(originals, bool), random.random(len(again)) < (0.05 if hard else 0.0)]),
    }
    order = np.argsort(columns["event"], kind="stable")
    sort = {name: column[order] for name, column in columns.items()}
    known_at = pa.array(sort["known"]).cast(INSTANT)
    op = pa.array(np.where(sort["dead"], "delete", "upsert"))
    arrays = [
        names(sort["entity"], entities),
        pa.array(sort["event"]).cast(INSTANT),
        known_at,
        sort["seq"],
        op,
        known_at,
    ]
    return pa.table([*arrays, random.normal(size=facts)], schema=SCHEMA)


def spine_table(rows: int, facts: pa.Table, entities: int, seed: int) -> pa.Table:
    """Return ``rows`` random decision times within the span of the facts, sorted."""
    random = np.random.default_rng(seed)
    last = facts["event_time"][-1].value + DAY
    moments = np.sort(random.integers(0, last, rows))
    return pa.table(
        {"entity": names(random.integers(0, entities, rows), entities), "time": pa.array(moments).cast(INSTANT)}
    )


def names(numbers: Any, entities: int) -> pa.Array:
    """Return the entities' names."""
    return pa.array([f"E{number:06d}" for number in range(entities)]).take(pa.array(numbers))


def polars_join(spine: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Join on event time alone: the plain join, with its look-ahead."""
    return spine.join_asof(facts, left_on="time", right_on="event_time", by="entity", check_sortedness=False)


def best_of(repeats: int, contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest time of each, in seconds; they take turns, so a busy moment hits all alike."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(repeats + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Make the data, check the number of answers, run the contestants."""
    plain = fact_table(options.facts, options.entities, options.revised, options.seed, hard=False)
    hard = fact_table(options.facts, options.entities, options.revised, options.seed, hard=True)
    spine = spine_table(options.spine, plain, options.entities, options.seed + 1)
    columns = {"value": "value"}
    frame = pl.DataFrame(spine).set_sorted("time")
    series = pl.DataFrame(plain.select(["entity", "event_time", "value"])).set_sorted("event_time")
    seconds = best_of(
        options.repeats,
        {
            "polars": lambda: polars_join(frame, series),
            "vintner": lambda: as_of_join(spine, [FactSource(facts=plain, columns=columns)]),
            "vintner_hard": lambda: as_of_join(spine, [FactSource(facts=hard, columns=columns)]),
        },
    )
    return {
        "spine_rows": options.spine,
        "fact_rows": options.facts,
        "entities": options.entities,
        "revised": options.revised,
        "cores": os.cpu_count(),
        "versions": {"duckdb": duckdb.__version__, "polars": pl.__version__, "pyarrow": pa.__version__},
        "seconds": seconds,
        "ratio_to_polars": {name: took / seconds["polars"] for name, took in seconds.items()},
    }


def show(result: dict[str, Any]) -> None:
    """Print the result as a table."""
    title = f"{result['spine_rows']:,} spine rows, {result['fact_rows']:,} facts, {result['revised']:.0%} revisions"
    table = Table("join", "knows", "seconds", "rows/s", "ratio", title=f"{title}, {result['cores']} cores")
    told = {
        "polars": ("Polars join_asof", "event time only: looks ahead"),
        "vintner": ("Vintner as_of_join", "event, knowledge, revisions"),
        "vintner_hard": ("Vintner as_of_join", "and tombstones, future-dated facts"),
    }
    for name, took in result["seconds"].items():
        ratio = f"{result['ratio_to_polars'][name]:.2f}"
        table.add_row(*told[name], f"{took:.3f}", f"{result['spine_rows'] / took:,.0f}", ratio)
    Console().print(table)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description="as_of_join against Polars' join_asof on event time")
    parser.add_argument("--spine", type=int, default=1_000_000, help="rows of the spine")
    parser.add_argument("--facts", type=int, default=500_000, help="rows of the fact table, revisions included")
    parser.add_argument("--entities", type=int, default=1_000, help="distinct entities")
    parser.add_argument("--revised", type=float, default=0.15, help="share of the rows that are revisions")
    parser.add_argument("--repeats", type=int, default=5, help="best of so many runs")
    parser.add_argument("--seed", type=int, default=7, help="seed of the data")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        Console(soft_wrap=True, highlight=False).print_json(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
