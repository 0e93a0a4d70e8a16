"""The generator: facts that are published late, revised, withdrawn, announced and moved, and a spine that asks.

Time is cut into as many pieces as the shape has chunks; each piece is made by itself from (seed, table, piece), so a
table larger than memory is written file by file, and any file can be made again alone. For one piece of a table:

1. Originals: entities and events within the piece, on whole milliseconds, no (entity, event) twice; known after the
   table's lag, or, if announced, up to 90 days before the event.
2. Up to four rounds of revision: of the versions of the round before, a share is stated again, a gap later and with
   the next revision number. One gap in 32 is zero: same knowledge time, higher revision.
3. A share of the facts is withdrawn: a tombstone. Half of those are stated again, later.
4. A share of the announced facts is moved: a tombstone, and a fact at another event time, known together.
5. Every row is written within a minute of being known, or, if backfilled, up to two years later; some rows are
   delivered twice.
6. The rows are sorted as they were written.

The spine has its own rows per piece, sorted by time. One in eight asks at an instant at which something happens to
a fact of its entity: exactly at its event or its publication, where the cuts are inclusive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pit.shapes import SPAN, START, VENUES, Shape, TableShape
from vintner.bitemporal import INSTANT

Columns = dict[str, Any]

_START: Final = int(START.timestamp()) * 1_000_000
_SPAN: Final = int(SPAN.total_seconds()) * 1_000_000
_MILLISECOND: Final = 1_000
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_ROUNDS: Final = 4
_SPINE: Final = "spine"
_ROW_GROUP: Final = 256_000


def generate(shape: Shape, folder: Path, on_file: Callable[[str], None] = lambda _: None) -> None:
    """Write a data set below ``folder``: ``<table>/part-00000.parquet`` …, ``spine/…``, and ``shape.json`` last.

    Parameters
    ----------
    shape
        What to make.
    folder
        Where; what is there is replaced.
    on_file
        Told the name of each file that was written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name in (*shape.tables, _SPINE):
        (folder / name).mkdir(parents=True)

    def write(name: str, chunk: int) -> str:
        piece = _spine_chunk(shape, chunk) if name == _SPINE else _fact_chunk(shape, name, chunk)
        path = folder / name / f"part-{chunk:05}.parquet"
        pq.write_table(piece, path, compression="zstd", compression_level=1, row_group_size=_ROW_GROUP)
        return f"{name}/{path.name}"

    # Two at a time: each piece is large, and most of making and writing one runs outside the interpreter's lock.
    with ThreadPoolExecutor(2) as threads:
        todo = [threads.submit(write, name, chunk) for name in (*shape.tables, _SPINE) for chunk in range(shape.chunks)]
        for written in as_completed(todo):
            on_file(written.result())
    (folder / "shape.json").write_text(shape.label, encoding="utf-8")


def fact_chunks(shape: Shape, table: str) -> Iterator[pa.Table]:
    """Yield the pieces of a fact table, in the order of their events; each sorted by ``ingested_at``."""
    return (_fact_chunk(shape, table, chunk) for chunk in range(shape.chunks))


def spine_chunks(shape: Shape) -> Iterator[pa.Table]:
    """Yield the pieces of the spine, each sorted by time and all of it later than the piece before."""
    return (_spine_chunk(shape, chunk) for chunk in range(shape.chunks))


def _fact_chunk(shape: Shape, table: str, chunk: int) -> pa.Table:
    return _as_facts(shape, _fact_columns(shape, table, chunk))


def _spine_chunk(shape: Shape, chunk: int) -> pa.Table:
    random, anchor = _dice(shape, _SPINE, chunk), next(iter(shape.tables))
    first, rows = _share(shape.spine, chunk, shape.chunks)
    low, high = _piece(shape, chunk)
    entity = _entities(random, rows, shape.entities + max(1, shape.entities // 100), shape.skew)
    time = low + random.integers(0, (high - low) // _SECOND, rows) * _SECOND
    facts = _originals(shape, shape.tables[anchor], chunk, _dice(shape, anchor, chunk))
    picked = random.integers(0, len(facts["entity"]), rows)
    asked = np.where(random.random(rows) < 0.5, facts["event"][picked], facts["known"][picked])
    exact = (random.random(rows) < 0.125) & (asked >= low) & (asked < high)
    entity, time = np.where(exact, facts["entity"][picked], entity), np.where(exact, asked, time)
    order = np.argsort(time, kind="stable")
    arrays = [pa.array(np.arange(first, first + rows)), *_keys(shape, entity[order]), _instants(time[order])]
    return pa.table(arrays, schema=shape.spine_schema)


def _fact_columns(shape: Shape, table: str, chunk: int) -> Columns:
    told, random = shape.tables[table], _dice(shape, table, chunk)
    facts = _originals(shape, told, chunk, random)
    versions = [_stated(facts, random), *_revisions(facts, told, random)]
    versions += _withdrawals(facts, told, random)
    versions += _moves(facts, told, chunk, random)
    rows = {name: np.concatenate([version[name] for version in versions]) for name in versions[0]}
    rows = _written(rows, told, random)
    order = np.lexsort((rows["seq"], rows["event"], rows["entity"], rows["written"]))
    return {name: column[order] for name, column in rows.items()}


def _originals(shape: Shape, told: TableShape, chunk: int, random: np.random.Generator) -> Columns:
    """Return the newest version of each fact so far: entity, event, known, seq; later steps move it on."""
    per_fact = 1 / (1 - told.revised) + 1.5 * told.withdrawn + 2 * told.announced * told.moved
    first, count = _share(max(1, int(shape.facts / per_fact)), chunk, shape.chunks)
    low, high = _piece(shape, chunk)
    if shape.skew == 1:
        number = first + np.arange(count)
        pace = _SPAN // (int(shape.facts / per_fact) // shape.entities + 1)
        entity = number % shape.entities
        event = _START + number // shape.entities * pace + _on_grid(random.integers(0, pace, count))
    else:
        entity = _entities(random, count, shape.entities, shape.skew)
        event = low + _on_grid(random.integers(0, high - low, count))
        _, kept = np.unique(np.stack([entity, event]), axis=1, return_index=True)
        entity, event = entity[kept], event[kept]
    known = event + _quantiles(random, told.lag, len(event))
    announced = random.random(len(event)) < told.announced
    ahead = random.integers(1, 90 * _DAY // _SECOND, len(event)) * _SECOND
    known = np.where(announced, event - ahead, known)
    return {"entity": entity, "event": event, "known": known, "seq": np.zeros(len(event), np.int64), "early": announced}


def _revisions(facts: Columns, told: TableShape, random: np.random.Generator) -> Iterator[Columns]:
    current = np.ones(len(facts["entity"]), bool)
    for _ in range(_ROUNDS):
        current &= random.random(len(current)) < told.revised
        yield _restate(facts, current, told, random)


def _withdrawals(facts: Columns, told: TableShape, random: np.random.Generator) -> Iterator[Columns]:
    gone = random.random(len(facts["entity"])) < told.withdrawn
    yield _restate(facts, gone, told, random, dead=True)
    back = gone & (random.random(len(gone)) < 0.5)
    yield _restate(facts, back, told, random)
    facts["early"] = facts["early"] & ~gone


def _moves(facts: Columns, told: TableShape, chunk: int, random: np.random.Generator) -> Iterator[Columns]:
    moves = facts["early"] & (random.random(len(facts["entity"])) < told.moved)
    yield _restate(facts, moves, told, random, dead=True)
    moved = {name: column[moves] for name, column in facts.items()}
    days = random.integers(1, 60, len(moved["event"])) * np.where(random.random(len(moved["event"])) < 0.3, -1, 1)
    # Off the grid of the originals, and of other pieces' moves: no fact is met twice.
    moved["event"] = moved["event"] + days * _DAY + 1 + chunk % (_MILLISECOND - 1)
    _, kept = np.unique(np.stack([moved["entity"], moved["event"]]), axis=1, return_index=True)
    moved = {name: column[kept] for name, column in moved.items()}
    moved["seq"] = np.zeros(len(kept), np.int64)
    yield _stated(moved, random)


def _restate(
    facts: Columns, which: Any, told: TableShape, random: np.random.Generator, *, dead: bool = False
) -> Columns:
    """State ``which`` facts again, a gap later and one revision on; ``facts`` moves on with them."""
    gap = _quantiles(random, told.gap, len(which)) * (random.integers(0, 32, len(which)) > 0)
    facts["known"] = np.where(which, facts["known"] + gap, facts["known"])
    facts["seq"] = facts["seq"] + which
    return _stated({name: column[which] for name, column in facts.items()}, random, dead=dead)


def _stated(facts: Columns, random: np.random.Generator, *, dead: bool = False) -> Columns:
    rows = {name: facts[name].copy() for name in ("entity", "event", "known", "seq")}
    count = len(rows["entity"])
    rows["dead"] = np.full(count, dead)
    rows["value"] = random.integers(-(2**40), 2**40, count) / 2**20
    rows["count"] = random.integers(0, 1_000, count)
    rows["empty"] = (random.random(count) < 0.01) | dead
    return rows


def _written(rows: Columns, told: TableShape, random: np.random.Generator) -> Columns:
    count = len(rows["entity"])
    soon = random.integers(1, 60, count) * _SECOND
    late = random.integers(1, 730 * _DAY // _SECOND, count) * _SECOND
    rows["written"] = rows["known"] + np.where(random.random(count) < told.backfilled, late, soon)
    again = random.random(count) < told.repeated
    copies = {name: column[again] for name, column in rows.items()}
    copies["written"] = copies["written"] + 3_600 * _SECOND
    return {name: np.concatenate([column, copies[name]]) for name, column in rows.items()}


def _as_facts(shape: Shape, rows: Columns) -> pa.Table:
    clocks = [_instants(rows[name]) for name in ("event", "known")]
    op = pa.array(["upsert", "delete"]).take(pa.array(rows["dead"].astype(np.int8)))
    values = [pa.array(rows[name], mask=rows["empty"]) for name in ("value", "count")]
    arrays = [*_keys(shape, rows["entity"]), *clocks, pa.array(rows["seq"]), op, _instants(rows["written"]), *values]
    return pa.table(arrays, schema=shape.fact_schema)


def _keys(shape: Shape, entity: Any) -> list[pa.Array]:
    if shape.keys == "one":
        width = len(str(shape.entities * 2))
        numbers = np.arange(int(entity.max(initial=0)) + 1)
        return [pa.array([f"E{number:0{width}}" for number in numbers]).take(pa.array(entity))]
    venues = pa.array([f"X{chr(ord('A') + number)}" for number in range(VENUES)])
    return [venues.take(pa.array(entity % VENUES)), pa.array(entity // VENUES)]


def _dice(shape: Shape, table: str, chunk: int) -> np.random.Generator:
    return np.random.default_rng([shape.seed, *table.encode(), chunk])


def _entities(random: np.random.Generator, count: int, entities: int, skew: int) -> Any:
    drawn = random.random(count)
    power = drawn
    for _ in range(skew - 1):
        power = power * drawn
    return (power * entities).astype(np.int64)


def _quantiles(random: np.random.Generator, seconds: tuple[int, ...], count: int) -> Any:
    """Return draws from the distribution with these quantiles, in microseconds, whole seconds."""
    at = random.integers(0, (len(seconds) - 1) << 20, count)
    step, within = at >> 20, at & (2**20 - 1)
    marks = np.array(seconds, np.int64)
    return (marks[step] + ((marks[step + 1] - marks[step]) * within >> 20)) * _SECOND


def _share(total: int, chunk: int, chunks: int) -> tuple[int, int]:
    first = total * chunk // chunks
    return first, total * (chunk + 1) // chunks - first


def _piece(shape: Shape, chunk: int) -> tuple[int, int]:
    return _START + _SPAN * chunk // shape.chunks, _START + _SPAN * (chunk + 1) // shape.chunks


def _on_grid(moments: Any) -> Any:
    return moments // _MILLISECOND * _MILLISECOND


def _instants(moments: Any) -> pa.Array:
    return pa.array(moments).cast(INSTANT)
