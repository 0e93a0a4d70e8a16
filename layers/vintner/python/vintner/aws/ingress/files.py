"""Rows of dropped files, a chunk at a time: CSV, JSON lines and Parquet, gzip or plain, never all in memory.

A row that cannot be read stands as a ``FactError`` in its place, with what it was as ``payload``; a file that is cut
off or is no such file ends with one, so that what came before is kept and what did not come is told.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vintner.lake.errors import FactError

CHUNK_ROWS: Final = 5_000
MOST_LINE_BYTES: Final = 1024 * 1024
_COPY_BYTES: Final = 1024 * 1024
_TOLD_BYTES: Final = 1_000

Rows = Iterator[list[Any]]


class _Reader(io.RawIOBase):
    """A body of S3 as a file."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def chunks_of(key: str, body: Any, *, rows: int = CHUNK_ROWS, skip: int = 0) -> tuple[Rows, bool]:
    """Return the rows of a file in chunks, and whether all their values are text.

    Parameters
    ----------
    key
        Name of the file; its ending tells the form.
    body
        The file, to be read once: anything with ``read(size)``.
    rows
        Rows of a chunk.
    skip
        Rows at the beginning that are left out.

    Raises
    ------
    FactError
        The ending is none of those read.
    """
    suffixes = PurePosixPath(key).suffixes
    zipped = suffixes[-1:] == [".gz"]
    form = "".join(suffixes[-2:-1] if zipped else suffixes[-1:]).lower()
    read = _FORMS.get(form)
    if read is None or (zipped and form == ".parquet"):
        remedy = "drop .csv, .jsonl or .ndjson, each also with .gz, or .parquet"
        raise FactError(field="file", rule="unknown form", remedy=remedy)
    plain: IO[bytes] = io.BufferedReader(_Reader(body), _COPY_BYTES)
    stream = gzip.GzipFile(fileobj=plain) if zipped else plain
    return _chunked(islice(_guarded(read(stream, rows)), skip, None), rows), form == ".csv"


def _chunked(found: Iterator[Any], rows: int) -> Rows:
    while chunk := list(islice(found, rows)):
        yield chunk


def _guarded(found: Iterator[Any]) -> Iterator[Any]:
    """Yield rows; where the file itself breaks, one ``FactError`` and nothing more."""
    try:
        yield from found
    except FactError as error:
        yield error
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, pa.ArrowException) as cause:
        yield FactError(field="file", rule="malformed bytes", remedy=f"drop the whole file again ({cause})")


def _csv(stream: Any, _rows: int) -> Iterator[Any]:
    lines = csv.reader(
        io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=""), strict=True
    )
    names = next(lines, None)
    for values in lines:
        if not values:
            continue
        if names is None or len(values) != len(names):
            remedy = f"give {len(names or ())}"
            yield FactError(field="record", rule="wrong number of values", remedy=remedy, payload=values)
        else:
            yield dict(zip(names, values, strict=True))


def _json_lines(stream: Any, _rows: int) -> Iterator[Any]:
    while line := stream.readline(MOST_LINE_BYTES + 1):
        if len(line) > MOST_LINE_BYTES:
            start = _text(line[:_TOLD_BYTES])
            while line and not line.endswith(b"\n"):
                line = stream.readline(MOST_LINE_BYTES)
            remedy = f"give at most {MOST_LINE_BYTES} bytes"
            yield FactError(field="record", rule="oversized record", remedy=remedy, payload=start)
        elif line.strip():
            try:
                yield json.loads(line, parse_float=Decimal, parse_constant=Decimal)
            except (ValueError, RecursionError, ArithmeticError):
                remedy = "write one JSON object a line"
                yield FactError(field="record", rule="malformed bytes", remedy=remedy, payload=_text(line))


def _text(line: bytes) -> str:
    return line.decode(errors="backslashreplace")


def _parquet(stream: Any, rows: int) -> Iterator[Any]:
    """Yield rows of a Parquet file, by way of a file on disk: its end has to be read first."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file, _COPY_BYTES)
        file.seek(0)
        for batch in pq.ParquetFile(file).iter_batches(batch_size=rows):
            yield from batch.to_pylist()


_FORMS: Final[dict[str, Callable[[Any, int], Iterator[Any]]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
