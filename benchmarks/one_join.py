"""One as-of join of files, alone in its process, so that its memory is its own; the other commands start it.

    python -m benchmarks.one_join <folder> --tables a b --how memory|streamed [--sample FILE --of NAME …]

Prints one JSON document: seconds from the first byte read to the Arrow result, rows, bytes of the result, and the
most memory the process ever held, beside what it held before it began. With a sample, the answers of those entities
are written to a file afterwards, to be checked.

Arrow's jemalloc pool is used where there is one: it gives memory back sooner than the default does.

**memory** reads every file and calls ``as_of_join``. **streamed** calls ``as_of_join_streamed``, which reads the
facts batch by batch, keeps what the spine can see, and writes to files what would not fit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import dataset

from benchmarks.measure import resident_bytes
from vintner.bitemporal import FactSource, as_of_join, as_of_join_streamed

_POOL: Final = "jemalloc"


def in_memory(folder: Path, tables: list[str]) -> pa.Table:
    """Read everything, join."""
    sources = []
    for table in tables:
        path = folder / table
        names = [name for name in dataset.dataset(path).schema.names if name != "count"]
        facts = pq.read_table(path, columns=names, read_dictionary=["entity", "op"])
        sources.append(FactSource(facts=facts, columns={f"{table}_value": "value"}))
    return as_of_join(pq.read_table(folder / "spine", columns=["entity", "time"]), sources)


def streamed(folder: Path, tables: list[str]) -> pa.Table:
    """Read the spine; read the facts as the join asks for them."""
    sources = []
    for table in tables:
        facts = dataset.dataset(folder / table)
        columns = [name for name in facts.schema.names if name != "count"]
        batches = facts.scanner(columns=columns, batch_readahead=2, fragment_readahead=1).to_reader()
        sources.append(FactSource(facts=batches, columns={f"{table}_value": "value"}))
    return as_of_join_streamed(pq.read_table(folder / "spine", columns=["entity", "time"]), sources)


def main() -> None:
    """Run the join once."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("folder", type=Path)
    made.add_argument("--tables", nargs="+", required=True)
    made.add_argument("--how", choices=["memory", "streamed"], default="memory")
    made.add_argument("--sample", type=Path)
    made.add_argument("--of", nargs="+", default=[])
    options = made.parse_args()
    if _POOL in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    before, _ = resident_bytes()
    started = time.perf_counter()
    result = {"memory": in_memory, "streamed": streamed}[options.how](options.folder, options.tables)
    seconds = time.perf_counter() - started
    _, peak = resident_bytes()
    found: dict[str, Any] = {"seconds": seconds, "rows": result.num_rows, "result_bytes": result.nbytes}
    if options.sample:
        pq.write_table(result.filter(pc.is_in(result["entity"], pa.array(options.of))), options.sample)
    sys.stdout.write(json.dumps(found | {"peak_bytes": peak, "before_bytes": before}) + "\n")


if __name__ == "__main__":
    main()
