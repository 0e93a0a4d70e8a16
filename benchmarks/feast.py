"""The as-of join against Feast's historical retrieval, from the same Parquet file, answers compared.

    python -m benchmarks.feast [--spine N] [--facts N] [--entities N] [--variants feast feast-created] [--json]

1. One fact table with revisions, and a spine, as Parquet files.
2. Feast, with its DuckDB store, in its own environment (made by this command where it is not there):
   ``get_historical_features`` to Arrow, once, the spine already in memory.
3. Vintner, in a fresh process: read both files, join, to Arrow; best of the repeats.
4. Both answers are held against the reference: **feast** looks ahead, **feast-created** filters by created timestamp.
"""

from __future__ import annotations

import argparse

from benchmarks import material
from benchmarks.join_files import check_join, join_alone
from benchmarks.measure import Finding, Result, parser, publish
from benchmarks.pit.adapters import SystemNotHereError, adapters
from benchmarks.pit.queries import Kind, Query, Use
from benchmarks.pit.runner import measure as run_once


def measure(options: argparse.Namespace) -> Result:
    """Make the files, run Vintner, run Feast."""
    made = material.shape(options.facts, options.spine, options.entities, options.seed, figures=material.PLAIN)
    data = material.on_disk(made)
    query = Query(name="feast", title="as-of join", kind=Kind.JOIN, uses=(Use(table="figures"),))
    check_join(data, "memory")
    ours = min(join_alone(data, "memory")["seconds"] for _ in range(options.repeats))
    findings, runs = [Finding("Vintner, Parquet to Arrow", ours, "s")], []
    for system in adapters(options.variants):
        adapter = system()
        adapter.prepare(data)
        try:
            run = run_once(adapter, data, query, repeats=0)
        finally:
            adapter.close()
        if run.timing is None or run.verdict is None:
            raise SystemNotHereError(system=system.name, reason=run.reason)
        findings += [
            Finding(f"{system.name}: its time over Vintner's", run.timing.best / ours, "times"),
            Finding(f"{system.name}: time", run.timing.best, "s"),
            Finding(f"{system.name}: wrong cells", run.verdict.share * 100, "%"),
        ]
        runs.append(run.as_dict())
    return Result(
        "Feast, with its DuckDB store", findings, {"runs": runs, "about": [a.about for a in adapters(options.variants)]}
    )


def main() -> None:
    """Read the options, measure, print."""
    made = parser("the as-of join against Feast's historical retrieval", repeats=3)
    made.add_argument("--spine", type=int, default=200_000, help="rows of the spine")
    made.add_argument("--facts", type=int, default=2_000_000, help="rows of the fact table")
    made.add_argument("--entities", type=int, default=1_000, help="distinct entities")
    made.add_argument("--variants", nargs="+", default=["feast-created"], help="feast, feast-created, or both")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
