"""An exactly-once append of 10,000 rows against a bare PyIceberg append of the same rows to a table of the same kind.

    python -m benchmarks.append [--rows N] [--before N] [--repeats N] [--json]

Three tables of one dataset, in one catalog on local disk, take turns; all have had ``--before`` commits already.

1. *bare*: ``table.append(rows)`` on a handle that is kept, which is PyIceberg at its best.
2. *exactly once, in order*: ``land_facts``; the batch is known later than everything before it, as a live feed is.
3. *exactly once, late*: the same, but every batch is known and about the same time as all others, so that every file
   could hold its keys and the look-up has to read them.

After the last turn the tables are counted: each holds every row once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks.measure import Finding, Result, at_most, parser, publish, take_turns
from vintner.bitemporal import INSTANT
from vintner.errors import VintnerError
from vintner.lake import Column, Dataset, Layout, ensure_database, land_facts, load_table, migrate

DATABASE = "bench"
START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class RowsMissingError(VintnerError):
    """A contestant did not keep every row once."""

    template = "{table} holds {held} rows, not {wanted}"


def dataset(name: str) -> Dataset:
    """Return a dataset of daily prices, partitioned by the year they became known."""
    columns = tuple(Column(name=value, type=pa.float64(), doc=value) for value in ("open", "high", "low", "close"))
    return Dataset(name=name, doc=name, stream="bench", columns=columns, layout=Layout.YEAR_OF_KNOWLEDGE)


def batches(kind: Dataset, rows: int, seed: int, *, late: bool) -> Iterator[pa.Table]:
    """Yield batches without end, no version key twice; ``late`` ones are about the same days and known alike."""
    random, names = np.random.default_rng(seed), pa.array([f"entity-{number:05d}" for number in range(rows)])
    for number in count():
        moment = START + (timedelta(seconds=1) * number if late else DAY * number / 100)
        events = pa.array([moment] * rows, INSTANT)
        known = pa.array([START + DAY * 30 if late else moment + timedelta(seconds=30)] * rows, INSTANT)
        # A late batch is about a moment of its own between those of the others, so only its rows tell it is new.
        if late:
            events = pa.array(
                [START + DAY * (place % 25) + timedelta(microseconds=number) for place in range(rows)], INSTANT
            )
        columns = {
            "entity": names,
            "event_time": events,
            "knowledge_time": known,
            "revision_seq": pa.array(np.zeros(rows, np.int64)),
            "op": pa.array(["upsert"] * rows),
            "ingested_at": known,
            **{value: pa.array(random.normal(size=rows)) for value in kind.values.names},
            "source": pa.array(["bench"] * rows),
            "record_id": pa.array([f"bench/0/{number}/{place}" for place in range(rows)]),
        }
        yield pa.table(columns, schema=kind.schema)


def bare(catalog: Catalog, kind: Dataset) -> Callable[[pa.Table], Any]:
    """Return PyIceberg's own append on a table that is loaded once."""
    return load_table(catalog, DATABASE, kind.name).append


def exactly_once(catalog: Catalog, kind: Dataset) -> Callable[[pa.Table], Any]:
    """Return the exactly-once append, which loads its table each time as a function does."""
    sequence, load = count(), partial(load_table, catalog, DATABASE, kind.name)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    return lambda rows: land_facts(load, kind, rows, checkpoints={"bench/0": next(sequence)}, clock=clock)


def measure(options: argparse.Namespace) -> Result:
    """Make the tables, let them take turns, count their rows."""
    makes = {
        "bare": (bare, False),
        "exactly once, in order": (exactly_once, False),
        "exactly once, late": (exactly_once, True),
    }
    turns = options.before + 1 + options.repeats
    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=Path(folder).as_uri())
        ensure_database(catalog, DATABASE)
        contestants, tables = {}, {}
        for number, (name, (make, late)) in enumerate(makes.items()):
            kind = dataset(f"table_{number}")
            migrate(catalog, DATABASE, folder, [kind])
            made = batches(kind, options.rows, options.seed, late=late)
            ready, append = iter([next(made) for _ in range(turns)]), make(catalog, kind)
            contestants[name], tables[name] = partial(_next, append, ready), kind.name
        for _ in range(options.before):
            for run in contestants.values():
                run()
        timings = take_turns(contestants, repeats=options.repeats)
        for name, table in tables.items():
            held = load_table(catalog, DATABASE, table).scan().count()
            if held != turns * options.rows:
                raise RowsMissingError(table=name, held=held, wanted=turns * options.rows)
        catalog.close()
    plain = timings["bare"].median
    findings = [Finding(f"{name}, p50", timing.median * 1e3, "ms") for name, timing in timings.items()]
    ordered, scattered = (timings[name].median / plain for name in tables if name != "bare")
    findings += [
        at_most("exactly once, in order: p50 against bare", ordered, 1.3, "times"),
        Finding(f"exactly once, late: p50 against bare, {turns} files looked into", scattered, "times"),
    ]
    details = {"rows": options.rows, "commits_before": options.before} | {n: t.as_dict() for n, t in timings.items()}
    return Result("exactly-once append", findings, details)


def _next(append: Callable[[pa.Table], Any], ready: Iterator[pa.Table]) -> None:
    append(next(ready))


def main() -> None:
    """Read the options, measure, print."""
    made = parser("exactly-once append against a bare PyIceberg append", repeats=30)
    made.add_argument("--rows", type=int, default=10_000, help="rows of one append")
    made.add_argument("--before", type=int, default=20, help="commits each table has had before")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
