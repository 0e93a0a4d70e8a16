"""Polars, twice: the join everyone writes, and the best one that its API can say.

**plain** joins backward on event time. It knows one clock: it sees every row from its event on, published or not,
and the last revision instead of the first print. Reads without a spine are asked without their knowledge cut.

**bitemporal** joins on knowledge time with *leaders*: in the order of knowledge, keep a row only if no row of its
entity before it has a later event; the newest leader known is then the newest event, as last revised. That is exact
as long as no fact is withdrawn and none is known before its event; there is no as-of join on two clocks. With
tombstones and future-dated facts the general form is an inequality join of the spine with every row of its entity,
which is run where it is small enough to end. Reads with one cut for all are filters and a unique, and exact.
"""

from __future__ import annotations

from typing import ClassVar, Final

import polars as pl
import pyarrow as pa

from benchmarks.pit.adapters.base import Answer, CannotAnswerError
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from benchmarks.pit.shapes import ROW, TableShape

_PAIRS: Final = 30_000_000
"""More pairs of a spine row and a fact row than this are not joined: they have to be in memory at once."""


class _Frames:
    """A data set as frames: the spine sorted by time, each fact table by event, the keys as one categorical."""

    def __init__(self, data: Data) -> None:
        self.shape, self.keys = data.shape, list(data.shape.key_names)
        self.data = data
        self.spine = _frame(data.spine()).sort("time")
        self.facts = {table: _frame(data.facts(table)).sort("event_time") for table in data.shape.tables}

    def entity(self, number: int) -> pl.Expr:
        """Return the condition that a row is about the entity with this number."""
        pairs = zip(self.keys, self.data.entity(number), strict=True)
        return pl.all_horizontal(pl.col(name) == value for name, value in pairs)


class PolarsPlainAdapter:
    """join_asof on event time, and reads that do not ask when a row became known."""

    name: ClassVar[str] = "polars-plain"
    about: ClassVar[str] = "event time only: looks ahead"

    def prepare(self, data: Data) -> None:
        """Read and sort."""
        self._frames = _Frames(data)

    def run(self, query: Query) -> Answer:
        """Ask in the plain way."""
        frames = self._frames
        if query.kind is Kind.TRAILING:
            raise CannotAnswerError(reason="join_asof gives one row, not the last n")
        if query.kind is Kind.JOIN:
            answer = frames.spine
            for use in query.uses:
                facts = _as_stored(frames.facts[use.table], query)
                answer = _event_join(answer, facts, use, frames.keys)
            return Answer(_table(answer, query, frames))
        facts = frames.facts[query.uses[0].table]
        if query.kind is Kind.HISTORY:
            return Answer(_table(facts.filter(frames.entity(query.entity)), query, frames))
        facts = _by_cut(facts, query)
        if query.kind is Kind.NEXT:
            return Answer(_table(facts.unique(frames.keys, keep="first", maintain_order=True), query, frames))
        keys = [*frames.keys, "event_time"] if query.kind is Kind.VINTAGE else frames.keys
        return Answer(_table(facts.unique(keys, keep="last", maintain_order=True), query, frames))

    def close(self) -> None:
        """Let the frames go."""
        del self._frames


class PolarsAdapter:
    """The best bitemporal reads that the API can say."""

    name: ClassVar[str] = "polars"
    about: ClassVar[str] = "knowledge time by hand: leaders and one join_asof; pairs where facts are withdrawn"

    def prepare(self, data: Data) -> None:
        """Read and sort."""
        self._frames = _Frames(data)

    def run(self, query: Query) -> Answer:
        """Ask in the best way there is."""
        frames = self._frames
        facts = frames.facts[query.uses[0].table]
        if query.reads_spine:
            return Answer(_table(self._of_spine(query), query, frames))
        if query.kind is Kind.HISTORY:
            rows = facts.filter(frames.entity(query.entity)).sort("ingested_at")
            version = [*frames.keys, "event_time", "knowledge_time", "revision_seq"]
            return Answer(_table(rows.unique(version, keep="first", maintain_order=True), query, frames))
        living = _vintage(facts.filter(pl.col("knowledge_time") <= query.known_at), frames.keys)
        if query.kind is Kind.NEXT:
            living = living.filter(pl.col("event_time") > query.at).sort("event_time").unique(frames.keys, keep="first")
        if query.kind is Kind.LATEST:
            living = living.filter(pl.col("event_time") <= query.at).sort("event_time").unique(frames.keys, keep="last")
            ttl = query.uses[0].ttl
            if ttl is not None:
                living = living.filter(pl.lit(query.at) - pl.col("event_time") <= ttl)
        return Answer(_table(living, query, frames))

    def close(self) -> None:
        """Let the frames go."""
        del self._frames

    def _of_spine(self, query: Query) -> pl.DataFrame:
        frames = self._frames
        answer = frames.spine
        for use in query.uses:
            facts = _as_stored(frames.facts[use.table], query)
            if query.kind is Kind.JOIN and _is_plain(frames.shape.tables[use.table]):
                answer = _leader_join(answer, facts, use, frames.keys)
            else:
                found = _pairs_join(frames.spine, facts, use, query, frames.keys)
                answer = answer.join(found, on=ROW, how="left", maintain_order="left")
        if query.kind is Kind.TRAILING:
            answer = answer.with_columns(pl.col(out).fill_null([]) for use in query.uses for out in use.outputs)
        return answer


def _is_plain(table: TableShape) -> bool:
    return not (table.withdrawn or table.announced or table.moved)


def _event_join(spine: pl.DataFrame, facts: pl.DataFrame, use: Use, keys: list[str]) -> pl.DataFrame:
    said = facts.select(*keys, "event_time", **{out: pl.col(name) for out, name in use.outputs.items()})
    return spine.join_asof(
        said.set_sorted("event_time"),
        left_on="time",
        right_on="event_time",
        by=keys,
        tolerance=use.ttl,
        check_sortedness=False,
        coalesce=True,
    )


def _leader_join(spine: pl.DataFrame, facts: pl.DataFrame, use: Use, keys: list[str]) -> pl.DataFrame:
    said = {out: pl.col(name) for out, name in use.outputs.items()}
    leaders = (
        facts.sort("knowledge_time", "event_time", "revision_seq")
        .filter(pl.col("event_time") == pl.col("event_time").cum_max().over(keys))
        .select(*keys, "event_time", known=pl.col("knowledge_time") + use.delay, **said)
        .set_sorted("known")
    )
    answer = spine.join_asof(leaders, left_on="time", right_on="known", by=keys, check_sortedness=False)
    if use.ttl is not None:
        fresh = pl.col("time") - pl.col("event_time") <= use.ttl
        answer = answer.with_columns(pl.when(fresh).then(pl.col(out)).alias(out) for out in use.outputs)
    return answer.drop("known", "event_time")


def _pairs_join(spine: pl.DataFrame, facts: pl.DataFrame, use: Use, query: Query, keys: list[str]) -> pl.DataFrame:
    """Join each row of the spine with every row known by its cut, then settle each fact, then choose."""
    counts = spine.group_by(keys).len("asked").join(facts.group_by(keys).len("told"), on=keys)
    pairs = int(counts.select((pl.col("asked") * pl.col("told")).sum()).item())
    if pairs > _PAIRS:
        raise CannotAnswerError(reason=f"no as-of join on two clocks; {pairs:,} pairs by an inequality join")
    asked = spine.lazy().select(ROW, *keys, "time", cut=pl.col("time") - pl.lit(use.delay))
    seen = (pl.col("knowledge_time") <= pl.col("cut")) & (pl.col("event_time") <= pl.col("time"))
    living = _vintage(facts.lazy().join(asked, on=keys).filter(seen).collect(), [ROW]).sort("event_time")
    outputs = [pl.col(name).alias(out) for out, name in use.outputs.items()]
    if query.kind is Kind.TRAILING:
        last = (expression.tail(query.last) for expression in outputs)
        return living.group_by(ROW, maintain_order=True).agg(*last)
    newest = living.unique([ROW], keep="last", maintain_order=True)
    if use.ttl is not None:
        newest = newest.filter(pl.col("time") - pl.col("event_time") <= use.ttl)
    return newest.select(ROW, *outputs)


def _vintage(facts: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Return the facts that live by all these rows: the winner of each, unless it is a tombstone."""
    newest = facts.sort("knowledge_time", "revision_seq").unique([*keys, "event_time"], keep="last")
    return newest.filter(pl.col("op") == "upsert")


def _as_stored(facts: pl.DataFrame, query: Query) -> pl.DataFrame:
    return facts if query.system_at is None else facts.filter(pl.col("ingested_at") <= query.system_at)


def _by_cut(facts: pl.DataFrame, query: Query) -> pl.DataFrame:
    if query.kind is Kind.NEXT:
        return facts.filter(pl.col("event_time") > query.at)
    return facts.filter(pl.col("event_time") <= (query.known_at if query.kind is Kind.VINTAGE else query.at))


def _frame(table: pa.Table) -> pl.DataFrame:
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    return pl.DataFrame(table).with_columns(pl.col(texts).cast(pl.Categorical))


def _table(frame: pl.DataFrame, query: Query, frames: _Frames) -> pa.Table:
    return frame.select(query.schema(frames.shape).names).to_arrow()
