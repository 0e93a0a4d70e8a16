"""Runs every measuring command, and writes what they found into docs/benchmarks.md.

    python -m benchmarks.report [--sizes full|small] [--streaming] [--rows NAME …] [--again] [--write-only]

1. Each row is one command, run in a process of its own with ``--json``; they run one after the other, so that they
   have the machine to themselves.
2. A result is kept under ``build/benchmarks/results`` with a digest of the code that made it. A row that is there
   already for the same command and code is not run again (``--again`` runs it): after an interruption the same
   command goes on where it stopped.
3. The part of the page between its markers is written anew from all results of these sizes, with the command that
   made each table, the machine and the versions. A row that failed says so.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.measure import BUILD, PROJECT, ChildProcessFailedError, in_fresh_process
from benchmarks.page import write_page

PAGE: Final = PROJECT / "docs" / "benchmarks.md"
_CODE: Final = ("benchmarks", "layers/vintner/python/vintner")


@dataclass(frozen=True, slots=True)
class Row:
    """One command of the report.

    Parameters
    ----------
    name
        How ``--rows`` calls it.
    module
        What is run.
    full, small
        Its arguments: at the sizes of the claims, and at sizes of seconds.
    streaming
        Whether ``--streaming`` is enough to run it.
    """

    name: str
    module: str
    full: str
    small: str
    streaming: bool = False

    def arguments(self, sizes: str) -> list[str]:
        """Return the arguments at these sizes."""
        return shlex.split(self.full if sizes == "full" else self.small)


_PIT: Final = "run --systems vintner vintner-sql polars polars-plain duckdb duckdb-plain"
ROWS: Final = (
    Row("as_of_join", "benchmarks.as_of_join", "", "--spine 20000 --facts 5000 --entities 50 --repeats 1"),
    Row("from_parquet", "benchmarks.from_parquet", "", "--spine 20000 --facts 5000 --entities 50 --repeats 1"),
    Row("large_table", "benchmarks.large_table", "", "--facts 50000 --spine 5000 --entities 50"),
    Row("history", "benchmarks.history", "", "--facts 50000 --entities 50 --repeats 3"),
    Row("vintage", "benchmarks.vintage", "", "--series 50 --events 20 --repeats 3"),
    Row("append", "benchmarks.append", "", ""),
    Row("growth", "benchmarks.growth", "", "--sizes 5000 50000 --plot ''"),
    Row("feast", "benchmarks.feast", "", "--spine 1000 --facts 5000 --entities 50 --repeats 1"),
    Row("pit", "benchmarks.pit", f"{_PIT} --scale S", f"{_PIT} --scale XS"),
    Row(
        "pit_skewed",
        "benchmarks.pit",
        f"{_PIT} --scale S --keys two --skew 3",
        f"{_PIT} --scale XS --keys two --skew 3",
    ),
    Row(
        "pit_feast",
        "benchmarks.pit",
        "run --systems feast-created feast --scale S --repeats 0",
        "run --systems feast --scale XS",
    ),
    Row("streaming", "benchmarks.streaming", "", "--quick", streaming=True),
    Row("stream_latency", "benchmarks.stream_latency", "", "--quick", streaming=True),
    Row("stream_restore", "benchmarks.stream_restore", "", "--quick", streaming=True),
    Row("stream_memory", "benchmarks.stream_memory", "", "--quick", streaming=True),
    Row(
        "lander",
        "benchmarks.lander",
        "",
        "--deliveries 10 --records 20 --symbols 20 --before 2 --repeats 2",
        streaming=True,
    ),
    Row("stream_cost", "benchmarks.stream_cost", "", "--quick", streaming=True),
    Row(
        "engine",
        "benchmarks.engine",
        "",
        "--trades 4000 --symbols 10 --state-symbols 20 --repeats 1",
    ),
)


def run_rows(rows: Sequence[Row], sizes: str, folder: Path, *, again: bool, console: Console) -> list[str]:
    """Run the rows that have no result yet; return the names of those that failed."""
    failed = []
    for row in rows:
        path, mark = folder / f"{row.name}-{sizes}.json", digest(row, sizes)
        if not again and kept(path).get("digest") == mark:
            console.print(f"{row.name}: kept")
            continue
        started = time.monotonic()
        try:
            document = in_fresh_process(row.module, *row.arguments(sizes), "--json")
        except ChildProcessFailedError as error:
            document = {"claim": row.name, "command": _command(row, sizes), "error": _last_line(error)}
            failed.append(row.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"digest": mark if "error" not in document else "", **document}), encoding="utf-8")
        ended = f"failed: {document['error']}" if "error" in document else "measured"
        console.print(f"{row.name}: {ended} ({time.monotonic() - started:.0f} s)", markup=False)
    return failed


def digest(row: Row, sizes: str) -> str:
    """Return a digest of what a result depends on: the command, and the code of library and benchmarks."""
    told = hashlib.sha256(json.dumps([row.module, row.arguments(sizes)]).encode())
    for room in _CODE:
        for path in sorted((PROJECT / room).rglob("*")):
            if path.suffix in (".py", ".c", ".h", ".sql") and path.name not in ("report.py", "page.py"):
                told.update(path.read_bytes())
    return told.hexdigest()


def kept(path: Path) -> Mapping[str, Any]:
    """Return a result that was kept, or nothing."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def available() -> tuple[Row, ...]:
    """Return the rows whose commands are there."""
    return tuple(row for row in ROWS if importlib.util.find_spec(row.module))


def _command(row: Row, sizes: str) -> str:
    return shlex.join(["python", "-m", row.module, *row.arguments(sizes)])


def _last_line(error: ChildProcessFailedError) -> str:
    return str(error.data["output"]).strip().splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write the page; 1 if a row failed."""
    rows = available()
    made = argparse.ArgumentParser(prog="python -m benchmarks.report", description="run all, write docs/benchmarks.md")
    made.add_argument("--sizes", choices=["full", "small"], default="full", help="small: seconds, to try the commands")
    made.add_argument("--streaming", action="store_true", help="only the rows of streaming: six minutes")
    made.add_argument("--rows", nargs="+", choices=[row.name for row in rows], help="only these; all if not given")
    made.add_argument("--again", action="store_true", help="measure again what has a result")
    made.add_argument("--write-only", action="store_true", help="measure nothing, write the page from the results")
    made.add_argument("--page", type=Path, default=PAGE, help="the page")
    made.add_argument("--results", type=Path, default=BUILD / "results", help="where results are kept")
    options = made.parse_args(arguments)
    console, failed = Console(stderr=True, highlight=False), []
    chosen = [row for row in rows if options.rows is None or row.name in options.rows]
    chosen = [row for row in chosen if row.streaming or not options.streaming]
    if not options.write_only:
        failed = run_rows(chosen, options.sizes, options.results, again=options.again, console=console)
    documents = [kept(options.results / f"{row.name}-{options.sizes}.json") for row in rows]
    write_page(options.page, [document for document in documents if document])
    console.print(f"{options.page} is written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
