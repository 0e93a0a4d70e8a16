"""One as-of join of files, alone in its process, so that its memory is its own; the other commands start it.

    python -m benchmarks.one_join <folder> --tables a b --how memory|streamed

Prints one JSON document: seconds from the first byte read to the Arrow result, rows, bytes of the result, and the
most memory the process ever held, beside what it held before it began.

**memory** reads every file and calls ``as_of_join``. **streamed** calls ``as_of_join_streamed``, which reads the
facts piece by piece.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import resident_bytes
from vintner.bitemporal import FactSource, as_of_join


def in_memory(folder: Path, tables: list[str]) -> pa.Table:
    """Read everything, join."""
    columns = {table: {f"{table}_value": "value"} for table in tables}
    sources = [FactSource(facts=pq.read_table(folder / table), columns=columns[table]) for table in tables]
    return as_of_join(pq.read_table(folder / "spine", columns=["entity", "time"]), sources)


def main() -> None:
    """Run the join once."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("folder", type=Path)
    made.add_argument("--tables", nargs="+", required=True)
    made.add_argument("--how", choices=["memory", "streamed"], default="memory")
    options = made.parse_args()
    before, _ = resident_bytes()
    started = time.perf_counter()
    result = in_memory(options.folder, options.tables)
    seconds = time.perf_counter() - started
    _, peak = resident_bytes()
    found: dict[str, Any] = {"seconds": seconds, "rows": result.num_rows, "result_bytes": result.nbytes}
    sys.stdout.write(json.dumps(found | {"peak_bytes": peak, "before_bytes": before}) + "\n")


if __name__ == "__main__":
    main()
