"""The as-of join of facts that do not fit in memory.

1. Number the entities of the spine: no other can matter. They are dealt to buckets, so that all facts of an entity,
   and all rows that ask for it, meet in one bucket.
2. Read each source once, portion by portion, and keep of it the rows that some row of the spine may see, with the
   entity's number in place of its keys.
3. While what is kept is small, it stays in memory, and the join is the ordinary one. When it exceeds the memory given,
   it is written to files, one per bucket, and so is all that follows.
4. Join bucket by bucket: its facts against its rows of the spine, with the ordinary join.
5. Put the answers of all buckets into the order of the spine.

The spine and the result are held in memory; of the facts a bucket at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, before_us, instants_us, span_us
from vintner.bitemporal.errors import VersionConflictError
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.keys import Entities, Spelling, number
from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME, OP, Operation
from vintner.bitemporal.source import FactSource, check_outputs
from vintner.bitemporal.spine import TIME, Cut, Spine, spine_of
from vintner.bitemporal.tabular import Tabular, fetch, flat, rows_of, sift, table_of
from vintner.bitemporal.versions import check_columns, tombstones

BUCKETS: Final = 64
"""Into how many parts facts are dealt; a power of two. Small parts stay in the processor's cache."""

PORTION: Final = 1_000_000
"""How many rows of a source are looked at together."""

DEFAULT_MEMORY: Final = 1 << 27
"""Bytes. Above this, parts joined one by one are faster than the whole, files and all."""

# Written and read once, at the speed of a disk that others share.
_PACKED: Final = pa.ipc.IpcWriteOptions(compression="lz4")

_NUMBER: Final = "\0entity"
"""The column with an entity's number: no table has one of this name."""
_OPERATIONS: Final = pa.array([Operation.UPSERT.value, Operation.DELETE.value], pa.string())
_OP: Final = pa.dictionary(pa.int8(), pa.string())


def as_of_join_streamed(
    spine: Tabular,
    sources: Sequence[FactSource],
    *,
    known_at: Cut = None,
    system_at: Cut = None,
    memory: int = DEFAULT_MEMORY,
    folder: Path | None = None,
) -> pa.Table:
    """Do what :func:`as_of_join` does, with facts larger than memory.

    Parameters
    ----------
    spine, known_at, system_at
        As for :func:`as_of_join`. The spine is held in memory.
    sources
        The fact tables, each best given as a ``pa.RecordBatchReader``: it is read once and never held whole.
    memory
        Bytes of one source's facts to hold in memory before they are written to files.
    folder
        Where those files are while the join runs; the system's temporary folder if not given.

    Returns
    -------
    pa.Table
        As of :func:`as_of_join`.

    Raises
    ------
    SpineTableError, FactSourceError, FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vintner.bitemporal import FactSource, as_of_join_streamed, fact_schema
    >>> q1, may = datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table([["ACME"], [q1], [may], [0], ["upsert"], [may], [2.0]], schema=schema)
    >>> source = FactSource(facts=facts.to_reader(), columns={"eps": "eps"})
    >>> as_of_join_streamed(pa.table({"entity": ["ACME"], "time": [may]}), [source])["eps"].to_pylist()
    [2.0]
    """
    joined = table_of(spine)
    check_outputs(joined, sources)
    cuts = {"known_at": known_at, "system_at": system_at}
    asked = spine_of(joined, (name for source in sources for name in source.spine_names), **cuts)
    for source in sources:
        for field, answer in zip(source.fields, _answers(joined, asked, source, cuts, memory, folder), strict=True):
            joined = joined.append_column(field, answer)
    return joined


def _answers(
    table: pa.Table, asked: Spine, source: FactSource, cuts: dict[str, Cut], memory: int, folder: Path | None
) -> list[Any]:
    wanted = _Wanted.by(asked, source, table)
    asking = table.select(list(dict.fromkeys([TIME, *_named(cuts)])))
    asking = asking.append_column(_NUMBER, asked.spelling.numbers(source.spine_names, wanted.entities))
    with ExitStack() as stack:
        kept = _Kept(memory, folder, stack, wanted.schema)
        for portion in _portions(source):
            kept.add(wanted.of(portion))
        join = partial(_join, source, wanted.entities, cuts)
        order = pc.sort_indices(_bucket_of(asking)) if kept.spilled else None
        parts = [join(asking, kept.whole())] if order is None else _bucket_by_bucket(asking, order, join, kept)
    place = None if order is None else pc.inverse_permutation(order.cast(pa.int64()))
    answers: list[Any] = []
    for field in source.fields:
        column = pa.chunked_array([chunk for part in parts for chunk in part[field.name].chunks], _plain(field.type))
        parts = [part.drop_columns([field.name]) for part in parts]
        answers.append((column if place is None else fetch(flat(column), place)).cast(field.type))
    return answers


def _join(source: FactSource, entities: Entities, cuts: dict[str, Cut], asking: pa.Table, facts: pa.Table) -> pa.Table:
    one = replace(source, facts=facts, keys=(_NUMBER,), spine_keys=(_NUMBER,))
    try:
        return as_of_join(asking, [one], **cuts).select([field.name for field in source.fields])
    except VersionConflictError as error:
        raise VersionConflictError(**{**error.data, "entity": entities.name(error.data["entity"])}) from error


def _bucket_by_bucket(
    asking: pa.Table, order: pa.Array, join: Callable[[pa.Table, pa.Table], pa.Table], kept: _Kept
) -> list[pa.Table]:
    sizes = {one["values"]: one["counts"] for one in pc.value_counts(_bucket_of(asking)).to_pylist()}
    parts: list[pa.Table] = []
    start = 0
    for bucket in range(BUCKETS):
        rows = order.slice(start, sizes.get(bucket, 0))
        start += len(rows)
        if len(rows):
            parts.append(join(rows_of(asking, rows), kept.bucket(bucket)))
    return parts


def _bucket_of(table: pa.Table) -> pa.Array:
    """Return the bucket of each row (uint8); rows that name no entity are in the first."""
    return pc.bit_wise_and(pc.fill_null(flat(table[_NUMBER]), 0), BUCKETS - 1).cast(pa.uint8())


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rows of a source the join can need, and in which bucket each belongs."""

    entities: Entities
    schema: pa.Schema
    keys: tuple[str, ...]
    known_to: int
    system_to: int

    @classmethod
    def by(cls, asked: Spine, source: FactSource, table: pa.Table) -> _Wanted:
        check_columns(source.schema.empty_table(), source.keys)
        named = table.select(list(dict.fromkeys(source.spine_names))).drop_null()
        entities, _ = number(named, source.spine_names, in_order=False)
        # A key column stays only where it is asked for as a value.
        others = [
            field for field in source.schema if field.name not in source.keys or field.name in source.columns.values()
        ]
        plain = [field.with_type(_OP if field.name == OP else _plain(field.type)) for field in others]
        schema = pa.schema([*plain, pa.field(_NUMBER, pa.int32())])
        known_to = before_us(asked.newest_known, span_us(source.delay, field="delay"))
        return cls(entities, schema, tuple(source.keys), known_to, asked.newest_system)

    def of(self, facts: pa.Table) -> pa.Table:
        """Return the rows the join can need, in the form in which they are kept."""
        check_columns(facts, self.keys)
        operation = pa.DictionaryArray.from_arrays(tombstones(facts[OP]).cast(pa.int8()), _OPERATIONS)
        numbers = Spelling({name: facts[name] for name in self.keys}).numbers(self.keys, self.entities)
        seen = numbers.is_valid()
        for name, to in ((KNOWLEDGE_TIME, self.known_to), (INGESTED_AT, self.system_to)):
            if to != LATEST:
                seen = pc.and_(seen, pc.less_equal(instants_us(facts[name], field=name), pa.scalar(to, pa.int64())))
        facts = facts.set_column(facts.column_names.index(OP), OP, operation).append_column(_NUMBER, numbers)
        return sift(facts.select(self.schema.names), seen).cast(self.schema)


class _Kept:
    """Facts kept in memory, and, from when they exceed it, in a file per bucket."""

    def __init__(self, memory: int, folder: Path | None, stack: ExitStack, schema: pa.Schema) -> None:
        self._memory, self._folder, self._stack, self._schema = memory, folder, stack, schema
        self._pieces: list[pa.Table] = []
        self._bytes = 0
        self._place: Path | None = None
        self._writers: list[Any] = []

    @property
    def spilled(self) -> bool:
        return self._place is not None

    def add(self, facts: pa.Table) -> None:
        self._pieces.append(facts)
        self._bytes += facts.nbytes
        if self.spilled or self._bytes > self._memory:
            self._spill()

    def whole(self) -> pa.Table:
        return pa.concat_tables([self._schema.empty_table(), *self._pieces])

    def bucket(self, number: int) -> pa.Table:
        """Return the facts of one bucket; nothing can be added any more."""
        if self._pieces:
            self._spill()
        while self._writers:
            self._writers.pop().close()
        assert self._place is not None  # noqa: S101 - only what was spilled is asked for by bucket
        with pa.OSFile(str(self._place / str(number))) as file, pa.ipc.open_stream(file) as reader:
            return reader.read_all()

    def _spill(self) -> None:
        if self._place is None:
            self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            for number in range(BUCKETS):
                sink = self._stack.enter_context(pa.OSFile(str(self._place / str(number)), "wb"))
                self._writers.append(self._stack.enter_context(pa.ipc.new_stream(sink, self._schema, options=_PACKED)))
        while self._pieces:  # one piece at a time: sorting all at once would hold them twice more
            facts = self._pieces.pop()
            bucket = _bucket_of(facts)
            facts = rows_of(facts, pc.sort_indices(bucket))
            start = 0
            for one in sorted(bucket.value_counts().to_pylist(), key=lambda one: int(one["values"])):
                self._writers[one["values"]].write_table(facts.slice(start, one["counts"]))
                start += one["counts"]
        self._bytes = 0


def _portions(source: FactSource) -> Iterator[pa.Table]:
    """Yield the facts in portions of some size: looking entities up has a cost per portion."""
    facts = source.facts
    waiting: list[pa.RecordBatch] = []
    for batch in facts if isinstance(facts, pa.RecordBatchReader) else source.table.to_batches():
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= PORTION:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type with its dictionary taken away: each batch has another."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _named(cuts: dict[str, Cut]) -> list[str]:
    return [cut for cut in cuts.values() if isinstance(cut, str)]
