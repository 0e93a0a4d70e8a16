"""The kernel seen from Python: Arrow arrays in, Arrow arrays out, nothing copied on the way."""

from __future__ import annotations

from ctypes import byref, c_void_p
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.kernel.native import LEVELS, LONGEST_SPAN, FactsStruct, IndexStruct, SpineStruct, library

_EVENTS_PER_BLOCK: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a fact table that the index is made from, all of one length.

    Parameters
    ----------
    key
        Number of each row's entity (int32), from 0 to below ``keys``.
    event, known, system
        The clocks, microseconds since the epoch (int64).
    seq
        Revision (int64).
    dead
        Whether the row is a tombstone (bool).
    surplus
        Whether to leave the row out (bool), or None.
    known_to, system_to
        Leave out rows known, or written, later than this.
    """

    keys: int
    key: pa.Array
    event: pa.Array
    known: pa.Array
    seq: pa.Array
    system: pa.Array
    dead: pa.Array
    surplus: pa.Array | None = None
    known_to: int = LONGEST_SPAN
    system_to: int = LONGEST_SPAN


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """Rows that ask the index, all arrays of one length.

    Parameters
    ----------
    code
        The entity as the spine numbers it (int32); negative for none.
    key_of
        From that number to the index's (int32, negative for an entity without facts); None when they are the same.
    time
        Event cut (int64 microseconds).
    known
        Knowledge cut before the delay: per row (int64), or one for all.
    system
        System cut per row (int64), or None.
    delay, ttl
        Microseconds; ``LONGEST_SPAN`` for no ttl.
    """

    code: pa.Array
    key_of: pa.Array | None
    time: pa.Array
    known: pa.Array | int
    system: pa.Array | None = None
    delay: int = 0
    ttl: int = LONGEST_SPAN


@dataclass(frozen=True, slots=True)
class Answers:
    """Per row that asked: ``rows`` of the fact table (int32, null for no answer), and ``reasons`` if asked for.

    Reasons (uint8): 0 answered, 1 never known, 2 deleted, 3 expired.
    """

    rows: pa.Array
    reasons: pa.Array | None


@dataclass(frozen=True, slots=True)
class Windows:
    """Per row that asked, a stretch of ``members`` (int32 rows of the fact table) between two ``offsets`` (int64)."""

    offsets: pa.Array
    members: pa.Array


class FactIndex:
    """The versions of a fact table in order, ready to be read; safe to read from several threads.

    Parameters
    ----------
    columns
        What to index; not needed any more once the index is made.
    per_row_system
        Whether reads will ask with a system cut of their own.

    Attributes
    ----------
    twins
        Pairs of rows (int32) with one version key, as a table of ``first``, written first and kept, and ``again``,
        left out. Where both were written at one instant, either may be first.

    Examples
    --------
    >>> def int64(*values):
    ...     return pa.array(values, pa.int64())
    >>> key = pa.array([0, 0], pa.int32())
    >>> index = FactIndex(Columns(keys=1, key=key, event=int64(1, 2), known=int64(5, 3), seq=int64(0, 0),
    ...                           system=int64(5, 5), dead=pa.array([False, False])))
    >>> asked = Asking(code=key, key_of=None, time=int64(4, 1), known=int64(4, 5))
    >>> index.look_up(asked).rows.to_pylist()
    [1, 0]
    """

    def __init__(self, columns: Columns, *, per_row_system: bool = False) -> None:
        self._keep: list[Any] = []
        self._struct = self._empty(columns, per_row_system=per_row_system)
        facts = _facts(columns)
        self.twins = self._fill(facts)

    @property
    def versions(self) -> int:
        """How many versions there are."""
        return int(self._struct.versions)

    def look_up(self, asking: Asking, *, reasons: bool = False) -> Answers:
        """Return the newest event of each row as known at its cuts."""
        rows = len(asking.code)
        found, valid = _buffer(rows * 4), _buffer((rows + 7) // 8)
        why = _buffer(rows) if reasons else None
        arguments = (found.address, valid.address, why.address if why else None)
        nulls = _called("vintner_look_up", byref(self._struct), byref(_spine(asking)), *arguments)
        answer = pa.Array.from_buffers(pa.int32(), rows, [valid, found], null_count=nulls)
        return Answers(answer, pa.Array.from_buffers(pa.uint8(), rows, [None, why]) if why else None)

    def windows(self, asking: Asking, *, last: int = LONGEST_SPAN, span: int = LONGEST_SPAN) -> Windows:
        """Return per row the newest ``last`` events less than ``span`` microseconds old, oldest first."""
        rows = len(asking.code)
        offsets = _buffer((rows + 1) * 8)
        arguments = ("vintner_windows", byref(self._struct), byref(_spine(asking)), last, span, offsets.address)
        total = _called(*arguments, None)
        members = _buffer(total * 4)
        _called(*arguments, members.address)
        return Windows(_array(pa.int64(), rows + 1, offsets), _array(pa.int32(), total, members))

    def vintage(self) -> pa.Array:
        """Return the row (int32) of every fact that exists, in order of entity and event."""
        rows = _buffer(self._struct.events * 4)
        return _array(pa.int32(), _called("vintner_vintage", byref(self._struct), rows.address), rows)

    def next_after(self, instant: int) -> pa.Array:
        """Return the row (int32) of each entity's first event after an instant, in order of entity."""
        rows = _buffer(self._struct.keys * 4)
        return _array(pa.int32(), _called("vintner_next", byref(self._struct), instant, rows.address), rows)

    def ordered_rows(self) -> pa.Array:
        """Return the row (int32) of every version, in order of entity, event, knowledge and revision."""
        both = _array(pa.int64(), 2 * self.versions, self._version)
        signed = both.take(pa.arange(1, 2 * self.versions, 2)).cast(pa.int32())
        return pc.if_else(pc.less(signed, 0), pc.bit_wise_not(signed), signed)

    def _empty(self, columns: Columns, *, per_row_system: bool) -> IndexStruct:
        rows = len(columns.key)
        system = _buffer(rows * 8) if per_row_system else None
        levels = [_buffer((rows // 8 ** (level + 1) + 1) * 8) for level in range(LEVELS)]
        sizes = {
            "key_first": (columns.keys + 1) * 4,
            "event": (rows + 1) * 32,
            "version": rows * 16,
            "block_end": (rows // _EVENTS_PER_BLOCK + 1) * 8,
        }
        buffers = {name: _buffer(size) for name, size in sizes.items()}
        self._version = buffers["version"]
        self._keep += [system, *levels, *buffers.values()]
        struct = IndexStruct(keys=columns.keys, **{name: buffer.address for name, buffer in buffers.items()})
        struct.system = system.address if system else None
        struct.known_after = (c_void_p * LEVELS)(*(level.address for level in levels))
        return struct

    def _fill(self, facts: FactsStruct) -> pa.Table:
        # Room for the twins there usually are; only a table with more of them is indexed once more.
        room = facts.rows // 64 + 16
        while True:
            pairs = _buffer(room * 8)
            found = _called("vintner_index", byref(facts), byref(self._struct), pairs.address, room)
            if found <= room:
                break
            room = found
        both = _array(pa.int32(), 2 * found, pairs)
        even = pa.array(range(0, 2 * found, 2), pa.int32())
        return pa.table({"first": both.take(even), "again": both.take(pc.add(even, 1))})


def _facts(columns: Columns) -> FactsStruct:
    pointers = {name: _address(getattr(columns, name)) for name in ("key", "event", "known", "seq", "system")}
    surplus = columns.surplus
    return FactsStruct(
        rows=len(columns.key),
        keys=columns.keys,
        dead=columns.dead.buffers()[1].address if len(columns.dead) else None,
        dead_offset=columns.dead.offset,
        surplus=None if surplus is None or not len(surplus) else surplus.buffers()[1].address,
        known_to=columns.known_to,
        system_to=columns.system_to,
        **pointers,
    )


def _spine(asking: Asking) -> SpineStruct:
    known, one = (None, asking.known) if isinstance(asking.known, int) else (_address(asking.known), 0)
    return SpineStruct(
        rows=len(asking.code),
        code=_address(asking.code),
        key_of=None if asking.key_of is None else _address(asking.key_of),
        time=_address(asking.time),
        known=known,
        known_at=one,
        system=None if asking.system is None else _address(asking.system),
        delay=asking.delay,
        ttl=asking.ttl,
    )


def _address(array: pa.Array) -> int | None:
    """Return where an array without nulls begins."""
    buffer = array.buffers()[1]
    return None if buffer is None else buffer.address + array.offset * (array.type.bit_width // 8)


def _array(kind: pa.DataType, length: int, buffer: pa.Buffer) -> pa.Array:
    return pa.Array.from_buffers(kind, length, [None, buffer], null_count=0)


def _buffer(size: int) -> pa.Buffer:
    return pa.allocate_buffer(max(size, 8))


def _called(name: str, *arguments: Any) -> int:
    answer = int(getattr(library(), name)(*arguments))
    if answer < 0:
        raise MemoryError(name)
    return answer
