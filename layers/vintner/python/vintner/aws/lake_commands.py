"""The commands that govern the lake: drafts, audits, revisions, rollback, reproduction, maintenance.

Each takes a :class:`~vintner.lake.handle.Lake` and the options of the command line, and returns rows to print. What
takes long tells of itself on standard error. Every one may be stopped and given again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vintner.aws.stored import remove_files, stored_files
from vintner.bitemporal.content import content_hash
from vintner.datasets import DATASETS, find_dataset
from vintner.errors import VintnerError
from vintner.lake.errors import MainMovedError
from vintner.lake.handle import Lake
from vintner.lake.maintenance import Compacted, Expired, Orphans, Upkeep, maintain
from vintner.lake.model import RECORD_ID, SOURCE
from vintner.lake.revisions import (
    Audit,
    RevisionRecord,
    abandon_draft,
    audit_draft,
    draft_rows,
    drafts_of,
    find_publication,
    publish_draft,
    rebase_draft,
    record_missing,
    reproduce,
    revision_records,
    revisions_of,
    roll_back,
    verify_chain,
)

Rows = list[dict[str, Any]]
Options = argparse.Namespace
BATCH_ROWS: Final = 1_000_000
REBASES: Final = 5
"""How often a draft is put onto a main that goes on moving before publishing gives up."""


class NaiveOptionError(VintnerError, ValueError):
    """An instant on the command line has no offset."""

    template = "{text} is not an instant with an offset; give for instance 2024-03-31T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it does, what it is for, and the options it has."""

    does: Callable[[Lake, Options], Rows]
    help: str
    options: tuple[str, ...] = ()

    def run(self, lake: Lake, options: Options) -> Rows:
        """Do it, with instants read.

        Raises
        ------
        NaiveOptionError
            An instant has no offset.
        """
        if "as-of" in self.options:
            options.as_of = instant(options.as_of)
        return self.does(lake, options)


def show_revisions(lake: Lake, options: Options) -> Rows:
    """List the revisions, after recording those whose publisher died; with ``--verify`` check their chain too."""
    for late in record_missing(lake, DATASETS.values()):
        _tell(f"recorded {late.tag} of {late.dataset}, whose publisher had not")
    if options.verify:
        _tell(f"the chain of {verify_chain(lake)} records is whole")
    tagged = {(name, one.tag) for name in DATASETS for one in revisions_of(lake.load(name))}
    records = revision_records(lake, options.dataset)
    return [_revision(one) | {"tagged": (one.dataset, one.tag) in tagged} for one in records]


def show_drafts(lake: Lake, options: Options) -> Rows:
    """List the drafts that wait, with what they would change."""
    names = [options.dataset] if options.dataset else list(DATASETS)
    return [_audit(audit_draft(lake, find_dataset(name), one)) for name in names for one in drafts_of(lake.load(name))]


def add_to_draft(lake: Lake, options: Options) -> Rows:
    """Put the rows of a Parquet file on a draft; a row without lineage gets the file's name and its place there."""
    dataset, path = find_dataset(options.dataset), Path(options.file)
    total, done, told = pq.read_metadata(path).num_rows, 0, {"kept": 0, "repeated": 0}
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
        rows = _with_lineage(pa.Table.from_batches([batch]), path, options.draft, done)
        drafted = draft_rows(lake, dataset, options.draft, rows)
        done += rows.num_rows
        told = {"kept": told["kept"] + drafted.kept, "repeated": told["repeated"] + drafted.repeated}
        _tell(f"{dataset.name}: {done:,} of {total:,} rows")
    return [{"dataset": dataset.name, "draft": options.draft, **told}]


def show_audit(lake: Lake, options: Options) -> Rows:
    """Say what publishing a draft would change, and the largest moves of each column."""
    audit = audit_draft(lake, find_dataset(options.dataset), options.draft)
    moves: Rows = []
    for column in audit.columns:
        for kind, largest in (("absolute", column.largest), ("relative", column.largest_relative)):
            moves += [
                {"column": column.column, "changed": column.changed, "largest": kind}
                | {name: str(value) for name, value in move.fact.items()}
                | {"before": move.before, "after": move.after}
                for move in largest
            ]
    return [_audit(audit), *moves]


def publish(lake: Lake, options: Options) -> Rows:
    """Audit a draft and publish it; with ``--rebase`` put it onto a main that has moved, and audit it again."""
    dataset = find_dataset(options.dataset)
    done = find_publication(lake.load(dataset.name), options.draft)
    if done is not None:
        record_missing(lake, [dataset])
        return [_revision(done)]
    stated = {"as_of": options.as_of, "author": options.author, "reason": options.reason}
    for attempt in range(REBASES + 1):
        audit = audit_draft(lake, dataset, options.draft)
        _tell(aligned([_audit(audit)]))
        try:
            return [_revision(publish_draft(lake, dataset, audit, **stated))]
        except MainMovedError:
            if not options.rebase or attempt == REBASES:
                raise
            rebased = rebase_draft(lake, dataset, options.draft)
            _tell(f"main had moved: {rebased.kept:,} rows put onto it, {rebased.repeated:,} are there already")
    return []


def abandon(lake: Lake, options: Options) -> Rows:
    """Drop a draft."""
    there = abandon_draft(lake, find_dataset(options.dataset), options.draft)
    return [{"dataset": options.dataset, "draft": options.draft, "abandoned": there}]


def go_back(lake: Lake, options: Options) -> Rows:
    """Set a dataset back to a revision."""
    where = {"as_of": options.as_of, "revision_seq": options.seq}
    found = roll_back(lake, find_dataset(options.dataset), **where, author=options.author, reason=options.reason)
    return [_revision(found)]


def write_revision(lake: Lake, options: Options) -> Rows:
    """Reproduce a revision, check it against its hash, and write it where ``--file`` says."""
    rows = reproduce(lake, find_dataset(options.dataset), as_of=options.as_of, revision_seq=options.seq)
    if options.file:
        pq.write_table(rows, options.file)
    return [{"dataset": options.dataset, "rows": rows.num_rows, "content_hash": content_hash(rows)}]


def keep_up(lake: Lake, options: Options) -> Rows:
    """Compact, expire, remove orphans."""
    upkeep = Upkeep(
        few=options.few,
        keep_for=timedelta(days=options.keep_days),
        keep_last=options.keep_last,
        safe_age=timedelta(hours=options.safe_hours),
    )
    datasets = [find_dataset(options.dataset)] if options.dataset else list(DATASETS.values())
    told: Rows = []
    for done in maintain(lake, datasets, stored=stored_files, remove=remove_files, upkeep=upkeep):
        row = _kept_up(done)
        _tell("  ".join(str(value) for value in row.values()))
        told.append(row)
    return told


COMMANDS: Final[Mapping[str, Command]] = {
    "revisions": Command(show_revisions, "list what was published, by whom and why", ("dataset?", "verify")),
    "drafts": Command(show_drafts, "list the drafts that wait to be published", ("dataset?",)),
    "draft": Command(add_to_draft, "put the rows of a Parquet file on a draft", ("dataset", "draft", "file")),
    "audit": Command(show_audit, "say what publishing a draft would change", ("dataset", "draft")),
    "publish": Command(
        publish, "audit a draft and make it main", ("dataset", "draft", "as-of", "author", "reason", "rebase")
    ),
    "abandon": Command(abandon, "drop a draft", ("dataset", "draft")),
    "rollback": Command(go_back, "set main back to a revision", ("dataset", "as-of", "seq", "author", "reason")),
    "reproduce": Command(write_revision, "read a revision and check its hash", ("dataset", "as-of", "seq", "file?")),
    "maintain": Command(
        keep_up,
        "compact small files, expire snapshots, remove orphans; may run beside everything else",
        ("dataset?", "few", "keep-days", "keep-last", "safe-hours"),
    ),
}

_STANDARD: Final = Upkeep()


def instant(text: str) -> datetime:
    """Return an instant given on the command line.

    Raises
    ------
    NaiveOptionError
        It has no offset, or is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as cause:
        raise NaiveOptionError(text=text) from cause
    if found.utcoffset() is None:
        raise NaiveOptionError(text=text)
    return found


OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "dataset": {"required": True, "help": "name of the dataset"},
    "dataset?": {"default": None, "help": "name of the dataset; all if left out"},
    "draft": {"required": True, "help": "name of the draft"},
    "file": {"required": True, "help": "Parquet file"},
    "file?": {"default": None, "help": "Parquet file to write"},
    "as-of": {"required": True, "help": "knowledge cut the revision speaks for, with an offset"},
    "seq": {"required": True, "type": int, "help": "number among the revisions with that cut"},
    "author": {"required": True, "help": "who does it"},
    "reason": {"required": True, "help": "why"},
    "rebase": {"action": "store_true", "help": "put the draft onto a main that has moved, and audit it again"},
    "verify": {"action": "store_true", "help": "check every link of the chain of records"},
    "few": {"type": int, "default": _STANDARD.few, "help": "fewer small files than this are left alone"},
    "keep-days": {"type": float, "default": _STANDARD.keep_for / timedelta(days=1), "help": "days of snapshots kept"},
    "keep-last": {"type": int, "default": _STANDARD.keep_last, "help": "snapshots kept whatever their age"},
    "safe-hours": {
        "type": float,
        "default": _STANDARD.safe_age / timedelta(hours=1),
        "help": "hours after which a file nothing refers to is an orphan",
    },
}
"""Every option, by name; a ``?`` marks the form that may be left out."""


def aligned(rows: Rows) -> str:
    """Return rows as text, each column as wide as its widest cell; rows with other columns begin a new table.

    Examples
    --------
    >>> print(aligned([{"name": "a", "rows": 1200}, {"name": "bcd", "rows": 7}]))
    name   rows
    a     1,200
    bcd       7
    """
    told, lines = list(rows), list[str]()
    while told:
        names = list(told[0])
        count = next((place for place, row in enumerate(told) if list(row) != names), len(told))
        part, told = told[:count], told[count:]
        cells = [names, *([_cell(row[name]) for name in names] for row in part)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(names))]
        right = [isinstance(part[0][name], int | float) and not isinstance(part[0][name], bool) for name in names]
        for row in cells:
            padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
            lines.append("  ".join(padded).rstrip())
        lines += [""] if told else []
    return "\n".join(lines) or "nothing to tell"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _revision(one: RevisionRecord) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "as_of": one.as_of.isoformat(),
        "seq": one.revision_seq,
        "kind": one.kind.value,
        "rows": one.rows,
        "content_hash": one.content_hash[:12],
        "author": one.author,
        "published_at": one.published_at.isoformat(timespec="seconds"),
        "tag": one.tag,
        "reason": one.reason,
    }


def _audit(audit: Audit) -> dict[str, Any]:
    told = {name: getattr(audit, name) for name in ("dataset", "draft", "rows", "added", "revised", "retracted")}
    findings = "; ".join(audit.findings) or "none"
    return told | {"unchanged": audit.unchanged, "main_moved": audit.moved, "findings": findings}


def _kept_up(done: Compacted | Expired | Orphans) -> dict[str, Any]:
    if isinstance(done, Compacted):
        size = f"{done.bytes_before:,} to {done.bytes_after:,} bytes"
        told = f"{done.files} files with {done.rows:,} rows became one: {size}"
    elif isinstance(done, Expired):
        told = f"{done.expired} snapshots expired, {done.kept} kept"
    else:
        told = f"{done.files} orphans removed, {done.bytes:,} bytes"
    return {"table": done.table, "step": type(done).__name__.lower(), "done": told}


def _with_lineage(rows: pa.Table, path: Path, draft: str, first: int) -> pa.Table:
    if SOURCE not in rows.column_names:
        rows = rows.append_column(SOURCE, pa.array([path.name] * rows.num_rows, pa.string()))
    if RECORD_ID not in rows.column_names:
        names = [f"draft/{draft}/{place}/0" for place in range(first, first + rows.num_rows)]
        rows = rows.append_column(RECORD_ID, pa.array(names, pa.string()))
    return rows


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
