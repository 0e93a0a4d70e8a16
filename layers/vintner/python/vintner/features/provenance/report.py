"""What a restatement would change, as tables and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT

DIFFERS: Final = "differs"
DEPENDS: Final = "depends"

CHANGE_FIELDS: Final = (
    pa.field("kind", pa.string()),
    pa.field("manifest", pa.string()),
    pa.field("position", pa.int64()),
    pa.field("entity", pa.string()),
    pa.field("time", INSTANT),
    pa.field("column", pa.string()),
    pa.field("how", pa.string()),
    pa.field("before", pa.string()),
    pa.field("after", pa.string()),
    pa.field("move", pa.float64()),
    pa.field("relative", pa.float64()),
)
"""Columns of the changed cells; before and after are text, because columns differ in type."""

COUNT_FIELDS: Final = (
    pa.field("kind", pa.string()),
    pa.field("manifest", pa.string()),
    pa.field("column", pa.string()),
    pa.field("rows", pa.int64()),
    pa.field("asked", pa.int64()),
    pa.field("differ", pa.int64()),
    pa.field("depend", pa.int64()),
    pa.field("largest_move", pa.float64()),
    pa.field("mean_move", pa.float64()),
    pa.field("largest_relative", pa.float64()),
)
"""Columns of the counts; moves are absolute, in the unit of the column, and relative ones fractions."""

_SHOWN: Final = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class BlastRadius:
    """What would differ if a restatement were visible.

    Parameters
    ----------
    restatement
        What was restated, in words.
    changes
        One row per changed cell, by manifest, column and position: kind, manifest, position (int64, row of the
        table), entity (string), time (timestamp[us, UTC]), column, how (``differs``, or ``depends`` for a derived
        cell that was not recomputed), before, after (string, null for null), move (float64, after less before, null
        where a side is null or no number), relative (float64, move over the size of before, null for zero).
    counts
        One row per column of each manifest: rows in all, rows asked again, rows that differ, rows that depend on
        one that differs, the largest and the mean size of the move, and the largest relative one.

    Examples
    --------
    >>> empty = [pa.schema(fields).empty_table() for fields in (CHANGE_FIELDS, COUNT_FIELDS)]
    >>> print(BlastRadius(restatement="nothing", changes=empty[0], counts=empty[1]))
    nothing: no row of 0 tables differs
    """

    restatement: str
    changes: pa.Table
    counts: pa.Table

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return bool(self.changes.num_rows == 0)

    def of(self, manifest: str) -> pa.Table:
        """Return the changed cells of one table."""
        return self.changes.filter(pc.equal(self.changes["manifest"], manifest))

    def __str__(self) -> str:
        tables = len(self.counts["manifest"].unique())
        touched = len(self.changes["manifest"].unique())
        if self.clean:
            return f"{self.restatement}: no row of {tables} tables differs"
        lines = [f"{self.restatement}: {touched} of {tables} tables differ"]
        changed = [row for row in self.counts.to_pylist() if row["differ"] or row["depend"]]
        lines += [_sentence(row) for row in changed[:_SHOWN]]
        if len(changed) > _SHOWN:
            lines.append(f"  and {len(changed) - _SHOWN} more columns")
        return "\n".join(lines)


def moves_of(before: pa.Array, after: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return after less before, and that over the size of before (float64, null where there is no number).

    Examples
    --------
    >>> [moves.to_pylist() for moves in moves_of(pa.array([2.0, None, 0.0]), pa.array([1.0, 1.0, 1.0]))]
    [[-1.0, None, 1.0], [-0.5, None, None]]
    """
    kind = before.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        nothing = pa.nulls(len(before), pa.float64())
        return nothing, nothing
    old, new = (side.cast(pa.float64(), safe=False) for side in (before, after))
    move = pc.subtract(new, old)
    some = pc.not_equal(old, 0.0)
    base = pc.if_else(some, pc.abs(old), pa.scalar(None, pa.float64()))
    return move, pc.divide(move, base)


def sizes_of(changes: pa.Table) -> dict[str, float | None]:
    """Return the largest and mean size of the moves, and the largest relative one."""
    size, relative = pc.abs(changes["move"]), pc.abs(changes["relative"])
    return {
        "largest_move": pc.max(size).as_py(),
        "mean_move": pc.mean(size).as_py(),
        "largest_relative": pc.max(relative).as_py(),
    }


def _sentence(row: dict[str, Any]) -> str:
    what = f"  {row['kind']} {row['manifest']}.{row['column']}"
    if row["depend"]:
        return f"{what}: {row['depend']:,} of {row['rows']:,} rows depend on rows that differ"
    text = f"{what}: {row['differ']:,} of {row['rows']:,} rows differ"
    if row["largest_move"] is not None:
        text += f", by {row['mean_move']:.6g} on average and {row['largest_move']:.6g} at most"
    if row["largest_relative"] is not None:
        text += f" ({row['largest_relative']:.2%})"
    return text
