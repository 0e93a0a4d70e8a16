"""The blast radius of a restatement: which rows of which tables would now differ, and by how much.

1. Of each manifest take the sources that read the restated dataset. A restated fact can reach a row only if it is
   about the row's entity, its event is not after the row's time, and, when the row keeps its knowledge cut, it is
   known by then. Those rows are *asked* again; all others cannot differ.
2. Answer the asked rows from the facts without the restatement and with it (:mod:`.restatement`), by the same as-of
   join that made the table, reading only the entities asked for; compare bit by bit.
3. A derived row is touched when an input row it looks at is. With the function that derives it, it is made again
   from both sides and compared; without, it is reported as one that ``depends``. Manifests are taken in the order in
   which they derive from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, instant_us, instants_us, span_us
from vintner.bitemporal.compare import same
from vintner.bitemporal.matching import agreeing, numbered
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.bitemporal.source import FactSource
from vintner.bitemporal.spine import TIME
from vintner.bitemporal.tabular import entity_text, flat, text_of
from vintner.features.provenance.build import (
    Derive,
    SourceOf,
    Workshop,
    answer,
    fact_source,
    given_cut,
    inputs_of,
    read_rows,
    spine_keys,
)
from vintner.features.provenance.errors import ManifestCycleError
from vintner.features.provenance.model import DerivedColumn, Manifest, PinnedSource, by_name
from vintner.features.provenance.report import (
    CHANGE_FIELDS,
    COUNT_FIELDS,
    DEPENDS,
    DIFFERS,
    BlastRadius,
    moves_of,
    sizes_of,
)
from vintner.features.provenance.restatement import Move, Restatement, Sides, sides_of
from vintner.lake.model import Dataset
from vintner.marketdata.datasets import DATASETS

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader


def blast_radius(
    restatement: Restatement,
    manifests: Sequence[Manifest],
    reader: FactReader,
    *,
    move: Move = "value",
    derive: Mapping[str, Derive] | None = None,
    datasets: Mapping[str, Dataset] = DATASETS,
    load: Callable[[str], pa.Table] = read_rows,
) -> BlastRadius:
    """Return what would differ in the tables of ``manifests`` if a restatement were visible.

    Parameters
    ----------
    restatement
        The versions that were, or are about to be, published.
    manifests
        The tables in question, and those that they derive from.
    reader
        Where the facts are; whether the restatement is already among them makes no difference.
    move
        ``value``: a row that saw something of a restated fact sees what it now says: what it would have held, had
        the source been right the first time. ``knowledge``: the restated facts count as known whenever a row asks.
        ``system``: each row keeps its knowledge cut: what making the table again today would give.
    derive
        By name of the manifest, what makes its derived columns; rows of others are told to depend.
    datasets, load
        The declared datasets, by name, and what returns the rows at an address.

    Returns
    -------
    BlastRadius

    Raises
    ------
    NotRebuildableError, PinnedRowsChangedError, ManifestInvalidError, ManifestCycleError
        A manifest cannot be followed.
    VersionConflictError
        The restatement contradicts a version that is there.

    Examples
    --------
    >>> print(blast_radius(restatement, [features, training, signals], reader))  # doctest: +SKIP
    macro_series, 1 version of 1 entity: 3 of 3 tables differ
      features uk_growth.gdp: 12 of 240 rows differ, by 0.4 on average and 0.4 at most (0.31%)
    """
    shop = Workshop(reader=reader, datasets=datasets, manifests=by_name(manifests), derive=derive or {}, load=load)
    blast = _Blast(restatement, move, shop)
    for manifest in _in_order(shop.manifests):
        blast.take(manifest)
    changes = pa.concat_tables([pa.schema(CHANGE_FIELDS).empty_table(), *blast.changes])
    counts = pa.Table.from_pylist(blast.counts, schema=pa.schema(COUNT_FIELDS))
    return BlastRadius(restatement=_in_words(restatement), changes=changes, counts=counts)


@dataclass(slots=True)
class _Blast:
    """The work of one call: what was found so far, by manifest and column."""

    restatement: Restatement
    move: Move
    shop: Workshop
    touched: dict[tuple[str, str], pa.Array] = field(default_factory=dict)
    changes: list[pa.Table] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)

    def take(self, manifest: Manifest) -> None:
        """Find what differs in one table."""
        spine = self.shop.spine(manifest)
        for source in manifest.sources:
            rows = self._asked(manifest, source, spine)
            if not len(rows):
                for name in source.outputs:
                    self._count(manifest, name, spine, asked=0)
                continue
            asked = spine.take(rows)
            sides = self._sides(manifest, source, asked)
            before, after = (
                answer(manifest, asked, [fact_source(source, facts, sides.columns)])
                for facts in (sides.before, sides.after)
            )
            for name in source.outputs:
                self._compare(manifest, name, spine, rows, before[name], after[name])
        if manifest.derived:
            self._take_derived(manifest, spine)

    def _asked(self, manifest: Manifest, source: PinnedSource, spine: pa.Table) -> pa.Array:
        """Return the positions of the rows that the restatement can reach through a source (int64)."""
        versions = self.restatement.versions
        if source.dataset != self.restatement.dataset or not versions.num_rows or not spine.num_rows:
            return pa.array([], pa.int64())
        number, place = numbered(versions, source.keys, spine, spine_keys(source))
        bounds = pa.table(
            {"number": number, "event": _micros(versions[EVENT_TIME]), "known": _micros(versions[KNOWLEDGE_TIME])}
        )
        bounds = bounds.group_by("number").aggregate([("event", "min"), ("event", "max"), ("known", "min")])
        bounds = bounds.sort_by("number")
        time = _micros(spine[TIME])
        reached = pc.greater_equal(time, bounds["event_min"].take(place))
        if source.ttl is not None and source.reason is None:
            age = pc.subtract(time, bounds["event_max"].take(place))
            reached = pc.and_(reached, pc.less_equal(age, pa.scalar(span_us(source.ttl, field="ttl"), pa.int64())))
        if self.move == "system":
            cuts = _knowledge_cuts(manifest, source, spine)
            reached = pc.and_(reached, pc.greater_equal(cuts, bounds["known_min"].take(place)))
        return pc.indices_nonzero(pc.fill_null(reached, False)).cast(pa.int64())

    def _sides(self, manifest: Manifest, source: PinnedSource, spine: pa.Table) -> Sides:
        held = self.shop.pinned_facts(manifest, source, spine, held=True)
        return sides_of(held, self.restatement, source.columns, keys=source.keys, move=self.move)

    def _source_on(self, *, after: bool) -> SourceOf:
        def source_of(manifest: Manifest, source: PinnedSource, spine: pa.Table) -> FactSource:
            if source.dataset != self.restatement.dataset:
                return self.shop.pinned_source(manifest, source, spine)
            sides = self._sides(manifest, source, spine)
            return fact_source(source, sides.after if after else sides.before, sides.columns)

        return source_of

    def _take_derived(self, manifest: Manifest, spine: pa.Table) -> None:
        """Find the derived rows that look at a row that differs; make them again where that is possible."""
        reached = {column.name: self._dependent(manifest, column, spine) for column in manifest.derived}
        if not self._can_make(manifest):
            for name, mask in reached.items():
                self._mark(manifest, name, spine, pc.indices_nonzero(mask))
            return
        rows = pc.indices_nonzero(reduce(pc.or_, reached.values()))
        before, after = (
            self.shop.make(manifest, rows=rows, source_of=self._source_on(after=after)) for after in (False, True)
        )
        for name in reached:
            self._compare(manifest, name, spine, rows, before[name], after[name])

    def _dependent(self, manifest: Manifest, column: DerivedColumn, spine: pa.Table) -> pa.Array:
        """Return, per row, whether a derived column looks at a row that differs (bool)."""
        reached = pa.array([False] * spine.num_rows, pa.bool_())
        for other, name in inputs_of(column, manifest, self.shop):
            rows = self.touched.get((other.name, name))
            if rows is not None and len(rows):
                theirs = self.shop.spine(other).take(rows)
                reached = pc.or_(reached, agreeing(theirs, column.on, spine, column.on))
        return reached

    def _can_make(self, manifest: Manifest) -> bool:
        """Return whether a table's derived columns, and those they derive from, can be made again."""
        others = {one.manifest for column in manifest.derived for one in column.inputs}
        known = not manifest.derived or manifest.name in self.shop.derive
        return known and all(self._can_make(self.shop.input_of(manifest, name)) for name in others)

    def _compare(self, manifest: Manifest, name: str, spine: pa.Table, rows: pa.Array, before: Any, after: Any) -> None:
        before, after = flat(before), flat(after)
        differ = pc.indices_nonzero(pc.invert(same(before, after)))
        before, after, at = before.take(differ), after.take(differ), rows.take(differ)
        move, relative = moves_of(before, after)
        cells = {"before": text_of(before), "after": text_of(after), "move": move, "relative": relative}
        self._keep(manifest, name, spine, at, DIFFERS, cells)
        self._count(manifest, name, spine, asked=len(rows), differ=len(at), **sizes_of(self.changes[-1]))

    def _mark(self, manifest: Manifest, name: str, spine: pa.Table, at: pa.Array) -> None:
        self._keep(manifest, name, spine, at, DEPENDS, {})
        self._count(manifest, name, spine, asked=0, depend=len(at))

    def _keep(
        self, manifest: Manifest, name: str, spine: pa.Table, at: pa.Array, how: str, cells: Mapping[str, Any]
    ) -> None:
        theirs = spine.take(at)
        given = {
            "kind": pa.repeat(manifest.kind, len(at)),
            "manifest": pa.repeat(manifest.name, len(at)),
            "position": at.cast(pa.int64()),
            "entity": entity_text(theirs, _entity_names(manifest, spine)),
            "column": pa.repeat(name, len(at)),
            "how": pa.repeat(how, len(at)),
            **cells,
        }
        if TIME in spine.column_names:
            given["time"] = flat(theirs[TIME]).cast(INSTANT)
        columns = [given.get(one.name, pa.nulls(len(at), one.type)) for one in CHANGE_FIELDS]
        self.changes.append(pa.table(columns, schema=pa.schema(CHANGE_FIELDS)))
        self.touched[manifest.name, name] = at

    def _count(self, manifest: Manifest, name: str, spine: pa.Table, **counts: Any) -> None:
        row = {"kind": manifest.kind, "manifest": manifest.name, "column": name, "rows": spine.num_rows}
        self.counts.append(row | {"asked": 0, "differ": 0, "depend": 0} | counts)


def _in_order(manifests: Mapping[str, Manifest]) -> list[Manifest]:
    """Return the manifests, those that others derive from first."""
    needs = {
        name: [one.manifest for column in manifest.derived for one in column.inputs if one.manifest in manifests]
        for name, manifest in manifests.items()
    }
    try:
        return [manifests[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        raise ManifestCycleError(circle=" -> ".join(error.args[1])) from error


def _knowledge_cuts(manifest: Manifest, source: PinnedSource, spine: pa.Table) -> Any:
    """Return each row's knowledge cut less the source's delay (int64 microseconds)."""
    delay = span_us(source.delay, field="delay")
    cut = given_cut(manifest.known_at)
    if isinstance(cut, str):
        cuts = pc.coalesce(_micros(spine[cut]), _micros(spine[TIME]))
    elif cut is None:
        cuts = _micros(spine[TIME])
    else:
        cuts = pa.repeat(pa.scalar(instant_us(cut, field="known_at"), pa.int64()), spine.num_rows)
    # No instant lies a third of the clock's range away from another: a longer delay is as good as this one.
    return pc.subtract(cuts, pa.scalar(min(delay, LATEST // 3), pa.int64()))


def _entity_names(manifest: Manifest, spine: pa.Table) -> tuple[str, ...]:
    if ENTITY in spine.column_names:
        return (ENTITY,)
    if manifest.sources:
        return spine_keys(manifest.sources[0])
    return tuple(name for name in manifest.derived[0].on if name != TIME) or manifest.derived[0].on


def _micros(column: Any) -> Any:
    return flat(instants_us(column, field=TIME))


def _in_words(restatement: Restatement) -> str:
    versions = restatement.versions
    entities = versions.group_by(list(restatement.keys)).aggregate([]).num_rows
    counted = f"{versions.num_rows:,} version{'s' * (versions.num_rows != 1)}"
    return f"{restatement.dataset}, {counted} of {entities:,} {'entity' if entities == 1 else 'entities'}"
