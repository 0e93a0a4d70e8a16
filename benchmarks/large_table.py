"""A fact table larger than the memory that may be used: the as-of join within a limit.

    python -m benchmarks.large_table [--facts N] [--spine N] [--entities N] [--limit GIB] [--json]

1. One fact table, with tombstones and future-dated facts, as Parquet files in the order in which it was written, and
   a spine.
2. In a fresh process: ``as_of_join_streamed`` from the files to an Arrow result. The most memory the process ever
   held, interpreter, libraries, spine and result included, must stay below the limit.
3. The answers of some entities are held against the benchmark's slow reference.
"""

from __future__ import annotations

import argparse

from benchmarks import material
from benchmarks.join_files import check_join, join_alone
from benchmarks.measure import GIB, Finding, Result, at_most, parser, publish


def measure(options: argparse.Namespace) -> Result:
    """Make the files, run the join in a fresh process."""
    made = material.shape(options.facts, options.spine, options.entities, options.seed, table=material.HARD)
    data = material.on_disk(made)
    runs = [check_join(data, "streamed"), *(join_alone(data, "streamed") for _ in range(options.repeats - 1))]
    best, peak = min(run["seconds"] for run in runs), max(run["peak_bytes"] for run in runs)
    findings = [
        at_most(f"peak memory, {options.facts:,} facts", peak / GIB, options.limit, "GiB"),
        Finding("time, Parquet to Arrow", best, "s"),
        Finding("facts per second", options.facts / best, "rows/s"),
        Finding("result", runs[0]["result_bytes"] / GIB, "GiB"),
    ]
    return Result("a fact table larger than memory", findings, {"runs": runs})


def main() -> None:
    """Read the options, measure, print."""
    made = parser("the as-of join of a fact table larger than the memory that may be used", repeats=1)
    made.add_argument("--facts", type=int, default=100_000_000, help="rows of the fact table")
    made.add_argument("--spine", type=int, default=10_000_000, help="rows of the spine")
    made.add_argument("--entities", type=int, default=100_000, help="distinct entities")
    made.add_argument("--limit", type=float, default=4.0, help="GiB that may be used")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
