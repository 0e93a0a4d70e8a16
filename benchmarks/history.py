"""The history of one entity in a large fact table that is in memory.

    python -m benchmarks.history [--facts N] [--entities N] [--repeats N] [--json]

One table in memory; the whole history of an entity, every version of every fact, is asked for again and again, of
another entity each time. The first, unkept, question may build whatever the library keeps.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import material
from benchmarks.measure import Finding, Result, at_most, parser, publish, take_turns
from vintner.bitemporal import history


def measure(options: argparse.Namespace) -> Result:
    """Make the table, ask."""
    shape = material.shape(options.facts, 1, options.entities, options.seed, table=material.HARD)
    facts = material.facts_in_memory(shape, "table")
    names = facts["entity"].combine_chunks().unique().sort()
    who = _one_after_the_other(names)

    def ask() -> pa.Table:
        return history(facts, entity=next(who))

    rows = ask().num_rows
    timing = take_turns({"history": ask}, repeats=options.repeats)["history"]
    scan = take_turns({"scan": lambda: facts.filter(pc.equal(facts["entity"], next(who)))}, repeats=3)["scan"]
    findings = [
        at_most("history of one entity, warm, median", timing.median * 1e3, 50, "ms"),
        Finding("history of one entity, warm, best", timing.best * 1e3, "ms"),
        Finding("a filter of the table by the entity's name", scan.median * 1e3, "ms"),
        Finding("versions in the answer", rows, "rows"),
    ]
    details = {"facts": facts.num_rows, "entities": len(names), "seconds": timing.as_dict()}
    return Result("history of one entity", findings, details)


def _one_after_the_other(names: pa.Array) -> Iterator[str]:
    for number in count():
        yield names[number * 7919 % len(names)].as_py()


def main() -> None:
    """Read the options, measure, print."""
    made = parser("history of one entity in a table in memory", repeats=20)
    made.add_argument("--facts", type=int, default=10_000_000, help="rows of the table")
    made.add_argument("--entities", type=int, default=10_000, help="distinct entities")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
