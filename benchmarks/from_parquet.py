"""From Parquet on disk to an Arrow result: three fact tables joined to a spine, with the memory it takes.

    python -m benchmarks.from_parquet [--spine N] [--facts N] [--entities N] [--repeats N] [--json]

1. Three fact tables, one of them with tombstones and future-dated facts, and a spine, as Parquet files.
2. In a fresh process each time: read them, join, hold the Arrow result. The time is from the first byte read; the
   memory is the most the process ever held, interpreter and libraries included, over the bytes of the result.
3. Before that, the answers of some entities are held against the benchmark's slow reference.
"""

from __future__ import annotations

import argparse

from benchmarks import material
from benchmarks.join_files import check_join, join_alone
from benchmarks.measure import Finding, Result, Timing, at_least, at_most, parser, publish


def measure(options: argparse.Namespace) -> Result:
    """Make the files, run the join in fresh processes."""
    tables = {"one": material.PLAIN, "two": material.PLAIN, "three": material.HARD}
    data = material.on_disk(material.shape(options.facts, options.spine, options.entities, options.seed, **tables))
    check_join(data, options.how)  # also brings the files into the system's cache
    runs = [join_alone(data, options.how) for _ in range(options.repeats)]
    timing = Timing(tuple(run["seconds"] for run in runs))
    peak, size = max(run["peak_bytes"] for run in runs), runs[0]["result_bytes"]
    findings = [
        at_least("spine rows per second, Parquet to Arrow, three groups", options.spine / timing.best, 3e6, "rows/s"),
        at_most("peak memory over the size of the result", peak / size, 3.0, "times"),
        Finding("time, best", timing.best, "s"),
        Finding("time, median", timing.median, "s"),
        Finding("peak memory", peak / 2**20, "MiB"),
        Finding("result", size / 2**20, "MiB"),
    ]
    return Result("from Parquet to Arrow", findings, {"seconds": timing.as_dict(), "runs": runs})


def main() -> None:
    """Read the options, measure, print."""
    made = parser("three fact tables and a spine, from Parquet on disk to an Arrow table", repeats=3)
    made.add_argument("--spine", type=int, default=10_000_000, help="rows of the spine")
    made.add_argument("--facts", type=int, default=1_000_000, help="rows of each fact table")
    made.add_argument("--entities", type=int, default=10_000, help="distinct entities")
    made.add_argument("--how", choices=["memory", "streamed"], default="memory", help="how the facts are read")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
