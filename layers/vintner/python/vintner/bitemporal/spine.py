"""The rows that ask: checked, their cuts as microseconds, in stretches that threads can work on side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import EARLIEST, LATEST, instant_us, instants_us
from vintner.bitemporal.errors import FactTableError, SpineTableError
from vintner.bitemporal.keys import Spelling
from vintner.bitemporal.tabular import flat

TIME: Final = "time"
"""The spine's column of decision times."""

Cut: TypeAlias = "datetime | str | None"
"""A cut for every row, or the name of the spine's column that has one per row, or none."""

FEW_ROWS: Final = 100_000
"""Below this a stretch is not worth a thread."""

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Spine:
    """A stretch of a spine: its rows, and their cuts as arrays of int64 microseconds (or one integer for all)."""

    rows: int
    spelling: Spelling
    time: pa.Array
    known: pa.Array | int
    system: pa.Array | int

    @property
    def newest_known(self) -> int:
        """The latest knowledge cut of any row."""
        return self.known if isinstance(self.known, int) else _latest(self.known)

    @property
    def newest_system(self) -> int:
        """The latest system cut of any row."""
        return self.system if isinstance(self.system, int) else _latest(self.system)

    def stretches(self, count: int) -> list[Spine]:
        """Return the spine in at most ``count`` stretches of equal length, none of them short."""
        count = max(1, min(count, self.rows // FEW_ROWS))
        size = -(-self.rows // count) if self.rows else 1
        return [self._slice(start, min(size, self.rows - start)) for start in range(0, max(self.rows, 1), size)]

    def _slice(self, start: int, length: int) -> Spine:
        def part(array: Any) -> Any:
            return array if isinstance(array, int) else array.slice(start, length)

        columns = {name: column.slice(start, length) for name, column in self.spelling.columns.items()}
        return Spine(length, Spelling(columns), part(self.time), part(self.known), part(self.system))


def spine_of(table: pa.Table, keys: Iterable[str], *, known_at: Cut, system_at: Cut) -> Spine:
    """Check the columns a join needs of its spine, and return it with its cuts.

    Raises
    ------
    SpineTableError, NaiveTimeError
    """
    names = list(dict.fromkeys(keys))
    for name in (TIME, *names):
        _require(table, name)
    if table[TIME].null_count:
        raise SpineTableError(column=TIME, problem=f"has {table[TIME].null_count} nulls", remedy="drop those rows")
    time = _instants(table, TIME)
    known = time if known_at is None else _cut(table, known_at, "known_at", time)
    system = LATEST if system_at is None else _cut(table, system_at, "system_at", pa.scalar(LATEST, pa.int64()))
    return Spine(table.num_rows, Spelling({name: table[name] for name in names}), time, known, system)


def side_by_side(work: Callable[[Given], Made], given: Sequence[Given], *, rows: int) -> list[Made]:
    """Return ``work`` done on each, on all cores when there are ``rows`` enough to pay for it."""
    if len(given) < 2 or rows < FEW_ROWS:
        return [work(one) for one in given]
    with ThreadPoolExecutor(max_workers=min(len(given), pa.cpu_count())) as pool:
        return list(pool.map(work, given))


def _cut(table: pa.Table, cut: datetime | str, field: str, default: Any) -> pa.Array | int:
    if isinstance(cut, datetime):
        return instant_us(cut, field=field)
    _require(table, cut)
    column = _instants(table, cut)
    return flat(pc.coalesce(column, default)) if column.null_count else column


def _instants(table: pa.Table, name: str) -> pa.Array:
    try:
        return flat(instants_us(table[name], field=name))
    except FactTableError as error:
        problem, remedy = error.data["problem"], "cast it to timestamp[us, UTC]"
        raise SpineTableError(column=name, problem=problem, remedy=remedy) from error


def _require(table: pa.Table, name: str) -> None:
    if table.schema.get_field_index(name) < 0:
        remedy = f"give it, or another: the spine has {', '.join(table.column_names)}"
        raise SpineTableError(column=name, problem="is missing, or there twice", remedy=remedy)


def _latest(cuts: pa.Array) -> int:
    # A spine without rows may see nothing, not even a contradiction.
    return int(pc.max(cuts).as_py()) if len(cuts) else EARLIEST
