"""The book of answers: the right ones beside the data, their checksums in the repository.

``answers.json`` holds, per data set, the checksum of every table and of every answer. The answers themselves are
computed by the reference when they are first needed, kept as Parquet beside the data, and held against the book.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pit.answers import checksum
from benchmarks.pit.data import Data
from benchmarks.pit.queries import QUERIES, Query
from benchmarks.pit.reference import reference
from vintner.errors import VintnerError

BOOK: Final = Path(__file__).parent / "answers.json"


class ChecksumMismatchError(VintnerError):
    """Data or a right answer made here differ from those in the book."""

    template = (
        "{what} of {name} has the checksum {found}, the book says {recorded}: another version of numpy may have made "
        "other data; what is measured here is right in itself, but not comparable"
    )


def recorded(data: Data) -> Mapping[str, str]:
    """Return the checksums in the book of a data set, by table and query; empty if it is not in the book."""
    book: dict[str, dict[str, str]] = json.loads(BOOK.read_text("utf-8"))
    return book.get(data.shape.name, {})


def right_answer(data: Data, query: Query) -> pa.Table:
    """Return the right answer of a query: computed once, then read.

    Raises
    ------
    ChecksumMismatchError
        It is not what the book says.
    """
    path = data.folder / "answers" / f"{query.name}.parquet"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        pq.write_table(reference(data, query), part)
        part.rename(path)
    answer = pq.read_table(path).cast(query.schema(data.shape)).combine_chunks()
    _hold(data, query.name, checksum(answer))
    return answer


def check_data(data: Data) -> None:
    """Hold the tables of a data set against the book.

    Raises
    ------
    ChecksumMismatchError
    """
    for table, found in table_checksums(data).items():
        _hold(data, table, found)


def table_checksums(data: Data) -> dict[str, str]:
    """Return the checksum of each fact table and of the spine, rows in the order of the files."""
    tables = {table: data.facts(table) for table in data.shape.tables} | {"spine": data.spine()}
    return {name: checksum(table.combine_chunks()) for name, table in tables.items()}


def write_down(data: Data) -> dict[str, str]:
    """Enter the checksums of a data set and of its answers into the book, and return them."""
    book = json.loads(BOOK.read_text("utf-8")) if BOOK.is_file() else {}
    entry = table_checksums(data) | {query.name: checksum(reference(data, query)) for query in QUERIES}
    book[data.shape.name] = entry
    BOOK.write_text(json.dumps(book, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return entry


def _hold(data: Data, what: str, found: str) -> None:
    wanted = recorded(data).get(what, found)
    if wanted != found:
        raise ChecksumMismatchError(what=what, name=data.shape.name, found=found, recorded=wanted)
