"""How the time of an as-of join grows with the data: ten times the facts, the spine and the entities, again and again.

    python -m benchmarks.growth [--sizes N N N] [--repeats N] [--plot docs/growth.svg] [--json]

For each size, one fact table with tombstones and future-dated facts, and a spine of a tenth of its rows, as Parquet
files; in a fresh process, the join from the files to Arrow, out of core where it does not fit. Every step from one
size to the next is held against n log n; the plot shows both.
"""

from __future__ import annotations

import argparse
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from benchmarks import material
from benchmarks.join_files import check_join, join_alone
from benchmarks.measure import PROJECT, Finding, Result, at_most, number, parser, publish

_LARGE: Final = 50_000_000
"""From this size on a join is run again once, and not more often."""


def measure(options: argparse.Namespace) -> Result:
    """Run each size; compare the steps with n log n; plot."""
    best: dict[int, float] = {}
    peak: dict[int, int] = {}
    for size in sorted(options.sizes):
        made = material.shape(size, size // 10, max(1, size // 1_000), options.seed, table=material.HARD)
        data = material.on_disk(made)
        again = options.repeats if size < _LARGE else 1  # the first run brings the files into the system's cache
        runs = [check_join(data, "streamed"), *(join_alone(data, "streamed") for _ in range(again))]
        best[size] = min(run["seconds"] for run in runs)
        peak[size] = max(run["peak_bytes"] for run in runs)
    if options.plot:
        plot(best, PROJECT / options.plot)
    return Result("growth", findings(best), {"seconds": best, "peak_bytes": peak})


def findings(best: dict[int, float]) -> list[Finding]:
    """Return, for each step, by how much the time grew, over what n log n allows."""
    sizes = sorted(best)
    found = [Finding(f"{size:,} facts", best[size], "s") for size in sizes]
    for small, large in pairwise(sizes):
        allowed = large * math.log(large) / (small * math.log(small))
        what = f"{number(small)} to {number(large)} facts: growth over n log n"
        found.append(at_most(what, best[large] / best[small] / allowed, 1.0, "times"))
    return found


def plot(best: dict[int, float], path: Path) -> None:
    """Draw the times, and n log n through the first of them, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    sizes = sorted(best)
    first = sizes[0]
    steps = [first * (sizes[-1] / first) ** (step / 40) for step in range(41)]
    # The same bytes for the same times: no date, no random names inside.
    with mpl.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(6.4, 4.0))
        line: Any = [best[first] * size * math.log(size) / (first * math.log(first)) for size in steps]
        axes.loglog(steps, line, color="#9aa5b1", linestyle="--", label="n log n")
        axes.loglog(sizes, [best[size] for size in sizes], color="#8a1538", marker="o", label="as-of join")
        for size in sizes:
            axes.annotate(f"{number(best[size])} s", (size, best[size]), textcoords="offset points", xytext=(6, -12))
        axes.set_xlabel("facts (the spine has a tenth as many rows)")
        axes.set_ylabel("seconds, Parquet to Arrow")
        axes.grid(visible=True, which="major", color="#e4e7eb")
        axes.legend(frameon=False)
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Read the options, measure, print."""
    made = parser("how the time of an as-of join grows", repeats=2)
    made.add_argument("--sizes", nargs="+", type=int, default=[1_000_000, 10_000_000, 100_000_000], help="facts")
    made.add_argument("--plot", default="docs/growth.svg", help="SVG to write, relative to the project; empty for none")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
