"""The as-of join of facts that do not fit in memory.

1. Number the entities of the spine: no other can matter. They are dealt to buckets, so that all facts of an entity,
   and all rows that ask for it, meet in one bucket.
2. Read each source once, batch by batch, and keep of a batch the rows that some row of the spine may see.
3. While what is kept is small, it stays in memory, and the join is the ordinary one. When it exceeds the memory given,
   it is written to files, one per bucket, and so is all that follows.
4. Join bucket by bucket: its facts against its rows of the spine, with the ordinary join.
5. Put the answers of all buckets into the order of the spine.

The spine and the result are held in memory; of the facts a bucket at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, before_us, instants_us, span_us
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.keys import Entities, Spelling, number
from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME, OP
from vintner.bitemporal.source import FactSource, check_outputs
from vintner.bitemporal.spine import TIME, Cut, Spine, spine_of
from vintner.bitemporal.tabular import Tabular, fetch, flat, rows_of, sift, table_of
from vintner.bitemporal.versions import check_columns, tombstones

BUCKETS: Final = 64
"""Into how many parts facts are dealt: a bucket of a table ten times the memory given still fits."""

PORTION: Final = 1_000_000
"""How many rows of a source are looked at together."""

DEFAULT_MEMORY: Final = 1 << 29

_BUCKET: Final = "bucket"


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
    asking = table.select(list(dict.fromkeys([TIME, *source.spine_names, *_named(cuts)])))
    with ExitStack() as stack:
        kept = _Kept(memory, folder, stack, wanted.schema)
        for portion in _portions(source):
            kept.add(wanted.of(portion))
        if not kept.spilled:
            facts = kept.whole().drop_columns([_BUCKET])
            whole = as_of_join(asking, [replace(source, facts=facts)], **cuts)
            return [whole[field.name].cast(field.type) for field in source.fields]
        return _bucket_by_bucket(asking, source, cuts, kept, wanted.buckets(asked, source))


def _bucket_by_bucket(
    asking: pa.Table, source: FactSource, cuts: dict[str, Cut], kept: _Kept, buckets: pa.Array
) -> list[Any]:
    order = pc.sort_indices(buckets)
    sizes = {one["values"]: one["counts"] for one in pc.value_counts(buckets).to_pylist()}
    parts: list[pa.Table] = []
    start = 0
    for bucket in range(BUCKETS):
        rows = order.slice(start, sizes.get(bucket, 0))
        start += len(rows)
        if len(rows):
            one = replace(source, facts=kept.bucket(bucket))
            answer = as_of_join(rows_of(asking, rows), [one], **cuts)
            parts.append(answer.select([field.name for field in source.fields]))
    place = pc.inverse_permutation(order.cast(pa.int64()))
    answers: list[Any] = []
    for field in source.fields:
        column = pa.chunked_array([chunk for part in parts for chunk in part[field.name].chunks], _plain(field.type))
        parts = [part.drop_columns([field.name]) for part in parts]
        answers.append(fetch(flat(column), place).cast(field.type))
    return answers


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
        plain = [field.with_type(_plain(field.type)) for field in source.schema]
        schema = pa.schema([*plain, pa.field(_BUCKET, pa.uint8())])
        known_to = before_us(asked.newest_known, span_us(source.delay, field="delay"))
        return cls(entities, schema, tuple(source.keys), known_to, asked.newest_system)

    def of(self, facts: pa.Table) -> pa.Table:
        """Return the rows the join can need, each with its bucket."""
        check_columns(facts, self.keys)
        tombstones(facts[OP])
        bucket = _buckets(Spelling({name: facts[name] for name in self.keys}), self.keys, self.entities)
        facts = facts.append_column(_BUCKET, bucket)
        seen = bucket.is_valid()
        for name, to in ((KNOWLEDGE_TIME, self.known_to), (INGESTED_AT, self.system_to)):
            if to != LATEST:
                seen = pc.and_(seen, pc.less_equal(instants_us(facts[name], field=name), pa.scalar(to, pa.int64())))
        return sift(facts, seen)

    def buckets(self, asked: Spine, source: FactSource) -> pa.Array:
        """Return the bucket of each row of the spine; rows that name no entity go to the first."""
        return pc.fill_null(_buckets(asked.spelling, source.spine_names, self.entities), 0)


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
        return pa.concat_tables([self._schema.empty_table(), *(piece.cast(self._schema) for piece in self._pieces)])

    def bucket(self, number: int) -> pa.Table:
        """Return the facts of one bucket; nothing can be added any more."""
        if self._pieces:
            self._spill()
        while self._writers:
            self._writers.pop().close()
        assert self._place is not None  # noqa: S101 - only what was spilled is asked for by bucket
        with pa.OSFile(str(self._place / str(number))) as file, pa.ipc.open_stream(file) as reader:
            return reader.read_all().drop_columns([_BUCKET])

    def _spill(self) -> None:
        if self._place is None:
            self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            for number in range(BUCKETS):
                sink = self._stack.enter_context(pa.OSFile(str(self._place / str(number)), "wb"))
                self._writers.append(self._stack.enter_context(pa.ipc.new_stream(sink, self._schema)))
        while self._pieces:  # one piece at a time: sorting all at once would hold them twice more
            facts = self._pieces.pop().cast(self._schema)
            facts = rows_of(facts, pc.sort_indices(facts[_BUCKET]))
            start = 0
            for one in facts[_BUCKET].value_counts().to_pylist():
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


def _buckets(spelling: Spelling, names: Sequence[str], entities: Entities) -> pa.Array:
    """Return each row's bucket (uint8), null where the row's entity is none of ``entities``."""
    code, key_of = spelling.codes(names, entities)
    key = pc.if_else(pc.less(code, 0), pa.scalar(None, pa.int32()), code)
    key = key if key_of is None else key_of.take(key)
    key = pc.if_else(pc.less(key, 0), pa.scalar(None, pa.int32()), key)
    return pc.bit_wise_and(key, BUCKETS - 1).cast(pa.uint8())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type with its dictionary taken away: each batch has another."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _named(cuts: dict[str, Cut]) -> list[str]:
    return [cut for cut in cuts.values() if isinstance(cut, str)]
