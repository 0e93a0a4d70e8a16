"""The original order of rows, in bounded memory.

A row's ``record_id`` is ``stream/shard/sequence/position``: the delivery it came in, and its place in it. Sequence
numbers of a shard grow with time, and those of a shard that another was split into follow on, so

1.  the order is by sequence, as a number, then shard, then position. Within a shard, and so within a key, it is
    exactly the order of arrival; between shards it is nearly so, and always the same.
2.  Rows come in any order, file by file. Each ``run_rows`` of them are sorted and put into a file of their own.
3.  The files are merged: of every file the next block is at hand; all rows up to the smallest of the blocks' last
    keys are complete, so they are sorted together and handed out. A block is used up at each step.

Not more than one run, or one block of each file, is in memory at once (an external merge sort: Knuth, The Art of
Computer Programming, volume 3, 5.4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

RECORD_ID: Final = "record_id"
RUN_ROWS: Final = 500_000
BLOCK_ROWS: Final = 16_384
_DIGITS: Final = 64
"""More than a sequence number of Kinesis has (56)."""
_KEY: Final = ("_sequence", "_shard", "_position")
_PARTS: Final = 3


def in_order(
    tables: Iterable[pa.Table], folder: Path, *, run_rows: int = RUN_ROWS, block_rows: int = BLOCK_ROWS
) -> Iterator[pa.Table]:
    """Yield rows in their original order.

    Parameters
    ----------
    tables
        Rows with a ``record_id``, in any order and any pieces. How they are cut does not change what comes out, but
        for where the tables that are yielded end.
    folder
        An empty folder for what does not fit into memory; it holds files afterwards.
    run_rows
        Rows sorted in memory at once.

    Examples
    --------
    >>> import tempfile
    >>> rows = pa.table({"record_id": ["s/0/10/0", "s/0/9/1", "s/0/9/0"], "n": [3, 2, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [n for table in in_order([rows], Path(folder)) for n in table["n"].to_pylist()]
    [1, 2, 3]
    """
    runs: list[Path] = []
    waiting: list[pa.Table] = []
    for table in tables:
        for start in range(0, table.num_rows, run_rows):
            waiting.append(_keyed(table.slice(start, run_rows)))
            if sum(one.num_rows for one in waiting) >= run_rows:
                runs.append(_written(waiting, folder / f"{len(runs)}.arrow", block_rows))
                waiting = []
    if not runs and waiting:
        whole = _sorted(pa.concat_tables(waiting))
        for start in range(0, whole.num_rows, block_rows):
            yield _bare(whole.slice(start, block_rows))
        return
    if waiting:
        runs.append(_written(waiting, folder / f"{len(runs)}.arrow", block_rows))
    yield from map(_bare, _merged(runs))


def _keyed(table: pa.Table) -> pa.Table:
    parts = pc.split_pattern(table[RECORD_ID], "/", max_splits=_PARTS, reverse=True)
    shard, sequence, position = (pc.list_element(parts, place) for place in (1, 2, 3))
    keys = pc.utf8_lpad(sequence, _DIGITS, "0"), shard, pc.utf8_lpad(position, _DIGITS, "0")
    for name, column in zip(_KEY, keys, strict=True):
        table = table.append_column(name, column)
    return table


def _bare(table: pa.Table) -> pa.Table:
    return table.drop_columns(list(_KEY))


def _sorted(table: pa.Table) -> pa.Table:
    order = pc.sort_indices(table.select(list(_KEY)), sort_keys=[(name, "ascending") for name in _KEY])
    return table.take(order).combine_chunks()


def _written(tables: list[pa.Table], path: Path, block_rows: int) -> Path:
    rows = _sorted(pa.concat_tables(tables))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=block_rows)
    return path


def _blocks(path: Path) -> Iterator[pa.Table]:
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def _merged(runs: list[Path]) -> Iterator[pa.Table]:
    rest = [(blocks, head) for blocks in map(_blocks, runs) if (head := next(blocks, None)) is not None]
    for _ in count():
        if not rest:
            return
        bound = min(_key(head, head.num_rows - 1) for _, head in rest)
        complete: list[pa.Table] = []
        left: list[tuple[Iterator[pa.Table], pa.Table]] = []
        for blocks, head in rest:
            ready = _ready(head, bound)
            complete.append(head.slice(0, ready))
            following = head.slice(ready) if ready < head.num_rows else next(blocks, None)
            if following is not None:
                left.append((blocks, following))
        rest = left
        yield _sorted(pa.concat_tables(complete))


def _ready(head: pa.Table, bound: tuple[Any, ...]) -> int:
    """Return how many rows of a sorted block have a key not above a bound."""
    low, high = 0, head.num_rows
    while low < high:
        middle = (low + high) // 2
        if _key(head, middle) <= bound:
            low = middle + 1
        else:
            high = middle
    return low


def _key(table: pa.Table, row: int) -> tuple[Any, ...]:
    return tuple(table[name][row].as_py() for name in _KEY)
