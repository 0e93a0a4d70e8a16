"""All the generated files of ``athena/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infra.paths import NAMED_QUERIES
from local.saved_reads.named import named_reads
from local.saved_reads.prepared import prepared_reads
from local.saved_reads.read import SavedRead


def saved_reads() -> Sequence[SavedRead]:
    """Return every read that is a file."""
    return [*prepared_reads(), *named_reads()]


def write_saved_reads(folder: Path = NAMED_QUERIES.parent) -> Sequence[Path]:
    """Write the files of ``athena/`` that the generator makes, and return their paths."""
    written = []
    for read in saved_reads():
        path = folder / read.path
        path.write_text(read.content, encoding="utf-8")
        written.append(path)
    return written
