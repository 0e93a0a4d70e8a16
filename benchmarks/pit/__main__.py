"""`python -m benchmarks.pit`: generate data, run systems on it, check answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Result, number, progress, publish
from benchmarks.pit.adapters import ADAPTERS, adapters
from benchmarks.pit.answers import compare, conform
from benchmarks.pit.book import check_data, recorded, right_answer, write_down
from benchmarks.pit.data import DEFAULT_FOLDER, Data
from benchmarks.pit.generate import generate
from benchmarks.pit.queries import QUERIES, chosen
from benchmarks.pit.runner import Outcome, Run, run_benchmark
from benchmarks.pit.shapes import KEYS, SCALES, shape_of
from vintner.errors import VintnerError


def generated(options: argparse.Namespace, *, anew: bool = False) -> Data:
    """Return the data set the options name, made if it is not there."""
    data = Data.below(options.folder, shape_of(options.scale, keys=options.keys, skew=options.skew, seed=options.seed))
    if anew or not data.is_generated:
        files = (len(data.shape.tables) + 1) * data.shape.chunks
        with progress() as bar:
            task = bar.add_task(f"generating {data.shape.name}", total=files)
            generate(data.shape, data.folder, lambda _: bar.advance(task))
    return data


def generate_command(options: argparse.Namespace) -> int:
    """Make a data set; with --record enter its checksums and those of its answers into the book."""
    data = generated(options, anew=True)
    if options.record:
        write_down(data)
    check_data(data)
    Console().print(f"{data.folder}: {'as in the book' if recorded(data) else 'not in the book'}", highlight=False)
    return 0


def run_command(options: argparse.Namespace) -> int:
    """Run systems, print the table; 0 even when answers are wrong, because that is a finding."""
    systems, queries = adapters(options.systems), chosen(options.queries)
    data = generated(options)
    with progress() as bar:
        task = bar.add_task("right answers", total=len(queries))
        for query in queries:
            right_answer(data, query)
            bar.advance(task)
        task = bar.add_task("running", total=len(systems) * len(queries))
        outcome = run_benchmark(
            data,
            systems,
            queries,
            repeats=options.repeats,
            on_step=lambda what: bar.update(task, advance=1, description=what),
        )
    if options.json:
        details = {
            "data": data.shape.name,
            "facts": data.shape.facts,
            "spine": data.shape.spine,
            "prepare_seconds": outcome.prepared,
            "queries": {query.name: query.title for query in QUERIES},
            "runs": [run.as_dict() for run in outcome.runs],
        }
        publish(Result("point-in-time benchmark", [], details), as_json=True)
    else:
        Console().print(table_of(data, outcome))
    return 0


def check_command(options: argparse.Namespace) -> int:
    """Check answers that another system wrote as <folder>/Q1.parquet …; 1 if one is wrong or missing."""
    data, failed = generated(options), 0
    check_data(data)
    console = Console(highlight=False)
    for query in chosen(options.queries):
        right, keys = right_answer(data, query), query.keys(data.shape)
        if options.answers is None:
            console.print(f"{query.name} {right.num_rows} rows, {recorded(data).get(query.name, 'not in the book')}")
            continue
        path = options.answers / f"{query.name}.parquet"
        if not path.is_file():
            console.print(f"{query.name} has no answer: {path} is not there")
            failed = 1
            continue
        verdict = compare(conform(pq.read_table(path), query.schema(data.shape), keys), right, keys)
        console.print(f"{query.name} {'right' if verdict.is_right else f'{verdict.share:.3%} of the cells are wrong'}")
        failed = failed if verdict.is_right else 1
    return failed


def table_of(data: Data, outcome: Outcome) -> Table:
    """Return the outcome as a table: a line per query, a column per system, wrong answers in red."""
    names = list(dict.fromkeys(run.system for run in outcome.runs))
    shape = data.shape
    title = f"{shape.name}: {shape.facts:,} rows per fact table, {shape.spine:,} spine rows; seconds, best"
    table = Table("query", *names, title=title)
    table.add_row("prepare", *(number(outcome.prepared[name]) if name in outcome.prepared else "" for name in names))
    reasons = list(dict.fromkeys(run.reason for run in outcome.runs if run.reason))
    for query in QUERIES:
        cells = {run.system: cell(run, reasons) for run in outcome.runs if run.query == query.name}
        if cells:
            table.add_row(f"{query.name} {query.title}", *(cells.get(name, "") for name in names))
    table.caption = "\n".join(f"({number}) {reason}" for number, reason in enumerate(reasons, 1))
    table.caption_justify = "left"
    return table


def cell(run: Run, reasons: Sequence[str]) -> str:
    """Return a run in a few characters: its best time and the share of wrong cells, or which reason it has for none."""
    if run.timing is None or run.verdict is None:
        return f"[dim]({reasons.index(run.reason) + 1})[/dim]"
    time = number(run.timing.best)
    return time if run.verdict.is_right else f"[red]{time} · {run.verdict.share:.1%} wrong[/red]"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.pit", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    told = {"generate": generate_command, "run": run_command, "check": check_command}
    for name, function in told.items():
        command = commands.add_parser(name, help=(function.__doc__ or "").split(";")[0].rstrip("."))
        command.set_defaults(run=function)
        command.add_argument("--scale", choices=[*SCALES], default="S", help="how much data")
        command.add_argument("--keys", choices=[*KEYS], default="one", help="how many key columns")
        command.add_argument("--skew", type=int, default=1, help="1: entities alike; 3: a few have most rows")
        command.add_argument("--seed", type=int, default=7, help="seed of the data")
        command.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where data sets are kept")
        if name != "generate":
            command.add_argument(
                "--queries", nargs="+", choices=[query.name for query in QUERIES], default=[], help="all if not given"
            )
    commands.choices["generate"].add_argument("--record", action="store_true", help="enter checksums into the book")
    commands.choices["check"].add_argument("--answers", type=Path, help="folder of Q1.parquet …; the book's own if not")
    run = commands.choices["run"]
    here = [name for name in ADAPTERS if not name.startswith("feast")]
    run.add_argument(
        "--systems", nargs="+", default=here, help=f"of {', '.join(ADAPTERS)}; Feast is installed on demand"
    )
    run.add_argument("--repeats", type=int, default=3, help="times kept per query; 0: the first run counts")
    run.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    run.epilog = "systems: " + "; ".join(f"{name} ({adapter.about})" for name, adapter in ADAPTERS.items())
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error of ours is told in a line."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except VintnerError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
