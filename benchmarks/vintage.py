"""The vintage of many series: every fact as it was known at an instant.

    python -m benchmarks.vintage [--series N] [--events N] [--repeats N] [--json]

A table of so many series with so many events each, revised, withdrawn and announced; its vintage is asked for at
another instant each time.
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from itertools import count

import pyarrow as pa

from benchmarks import material
from benchmarks.measure import Finding, Result, at_most, parser, publish, take_turns
from benchmarks.pit.shapes import SPAN, START
from vintner.bitemporal import vintage


def measure(options: argparse.Namespace) -> Result:
    """Make the table, ask."""
    # A share of the rows are revisions and tombstones: so many rows hold about so many events.
    rows = int(options.series * options.events * 1.2)
    shape = material.shape(rows, 1, options.series, options.seed, table=material.HARD)
    facts, turns = material.facts_in_memory(shape, "table"), count(1)

    def ask() -> pa.Table:
        return vintage(facts, known_at=START + SPAN - timedelta(days=next(turns)))

    living = ask().num_rows
    timing = take_turns({"vintage": ask}, repeats=options.repeats)["vintage"]
    findings = [
        at_most(
            f"vintage of {options.series:,} series with {options.events} events, median", timing.median * 1e3, 100, "ms"
        ),
        Finding("vintage, best", timing.best * 1e3, "ms"),
        Finding("rows of the table", facts.num_rows, "rows"),
        Finding("facts in the answer", living, "rows"),
    ]
    return Result("vintage of many series", findings, {"seconds": timing.as_dict()})


def main() -> None:
    """Read the options, measure, print."""
    made = parser("vintage of many series", repeats=10)
    made.add_argument("--series", type=int, default=1_000, help="how many series")
    made.add_argument("--events", type=int, default=200, help="events per series")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
