"""Making tables from manifests, whole or in part.

1. The rows are the manifest's spine, or some of it.
2. Each source's facts are read at its revision, up to the manifest's cuts, for the entities of those rows.
3. One as-of join answers the sources' columns.
4. Derived columns are left to the function given for the manifest: it gets the rows, and from each of its inputs the
   rows that agree with them, made in the same way.

Whoever wants other facts, as the blast radius does, gives another function for step 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem, LocalFileSystem

from vintner.bitemporal.content import content_of
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.matching import agreeing
from vintner.bitemporal.source import FactSource
from vintner.bitemporal.spine import TIME
from vintner.features.provenance.errors import ManifestInvalidError, NotRebuildableError, PinnedRowsChangedError
from vintner.features.provenance.model import (
    At,
    Cut,
    DerivedColumn,
    InlineRows,
    Manifest,
    PinnedSource,
    Snapshot,
    Tag,
)
from vintner.lake.model import Dataset
from vintner.marketdata.datasets import DATASETS

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader

MANY_ENTITIES: Final = 20_000
"""Above this many entities a dataset is read whole: a longer list costs more than it saves."""

Derive: TypeAlias = "Callable[[pa.Table, Mapping[str, pa.Table]], pa.Table]"
"""Makes derived columns: takes rows of a spine, and the input tables by name; returns a column of each name, per row.

A row's cells may depend on the input rows that agree with it ``on`` the column's names, and on no others: the tables
hold those, and may hold more.
"""

SourceOf: TypeAlias = "Callable[[Manifest, PinnedSource, pa.Table], FactSource]"
"""Returns a source of a manifest with the facts that answer some rows of its spine."""


def read_rows(uri: str) -> pa.Table:
    """Return the table of a Parquet file, or of an Arrow file (``.arrow``, ``.feather``), at a path or address."""
    filesystem, path = FileSystem.from_uri(uri) if "://" in uri else (LocalFileSystem(), uri)
    if path.endswith((".arrow", ".feather")):
        with filesystem.open_input_file(path) as stream:
            return pa.ipc.open_file(stream).read_all()
    return pq.read_table(path, filesystem=filesystem)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """What is at hand to make tables from manifests.

    Parameters
    ----------
    reader
        Where the facts are.
    datasets
        The declared datasets, by name.
    manifests
        The manifests that others derive from, by name.
    derive
        By name of the manifest, what makes its derived columns.
    load
        Returns the rows at an address; see :func:`read_rows`.
    """

    reader: FactReader
    datasets: Mapping[str, Dataset] = field(default_factory=lambda: DATASETS)
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    derive: Mapping[str, Derive] = field(default_factory=dict)
    load: Callable[[str], pa.Table] = read_rows
    _spines: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False)

    def spine(self, manifest: Manifest) -> pa.Table:
        """Return the rows of a manifest.

        Raises
        ------
        PinnedRowsChangedError
            The file is not what was pinned.
        """
        if manifest.name not in self._spines:
            self._spines[manifest.name] = self._read_spine(manifest)
        return self._spines[manifest.name]

    def _read_spine(self, manifest: Manifest) -> pa.Table:
        pin = manifest.spine
        if isinstance(pin, InlineRows):
            return pin.table()
        table = self.load(pin.uri)
        found = content_of(table)
        if (found.rows, found.digest) != (pin.rows, pin.digest):
            raise PinnedRowsChangedError(
                manifest=manifest.name, uri=pin.uri, rows=pin.rows, expected=pin.digest, found_rows=found.rows,
                found=found.digest,
            )  # fmt: skip
        return table

    def input_of(self, manifest: Manifest, name: str) -> Manifest:
        """Return the manifest that another derives from.

        Raises
        ------
        NotRebuildableError
            It was not given.
        """
        if name not in self.manifests:
            raise NotRebuildableError(
                manifest=manifest.name, what="manifest", name=name, remedy="give the manifests it derives from too"
            )
        return self.manifests[name]

    def pinned_facts(
        self, manifest: Manifest, source: PinnedSource, spine: pa.Table, *, held: bool = False
    ) -> pa.Table:
        """Return the facts that answered a source of a manifest for these rows; more may be among them.

        Parameters
        ----------
        held
            Return all versions about the rows' entities that the manifest's revision and system cut hold, whenever
            they became known.

        Raises
        ------
        NotRebuildableError
            The dataset is not declared.
        """
        if source.dataset not in self.datasets:
            known = ", ".join(sorted(self.datasets))
            raise NotRebuildableError(
                manifest=manifest.name, what="dataset", name=source.dataset, remedy=f"declared are {known}"
            )
        wanted: dict[str, Any] = {}
        if not held:
            wanted["known_to"] = _latest_known(manifest, source, spine)
        if isinstance(manifest.system_at, At):
            wanted["ingested_to"] = manifest.system_at.at
        if source.revision is not None:
            wanted["revision"] = given_revision(source.revision)
        dataset = self.datasets[source.dataset]
        return self.reader.read(dataset, entities=_entities(spine, source, dataset), **wanted)

    def pinned_source(self, manifest: Manifest, source: PinnedSource, spine: pa.Table) -> FactSource:
        """Return a source of a manifest with the facts that answered these rows."""
        return fact_source(source, self.pinned_facts(manifest, source, spine), source.columns)

    def make(self, manifest: Manifest, *, rows: pa.Array | None = None, source_of: SourceOf | None = None) -> pa.Table:
        """Return the table of a manifest, or these rows of it (positions in its spine), with all its columns.

        Raises
        ------
        NotRebuildableError
            Something it names is not at hand.
        """
        spine = self.spine(manifest)
        spine = spine if rows is None else spine.take(rows)
        given = source_of or self.pinned_source
        table = answer(manifest, spine, [given(manifest, source, spine) for source in manifest.sources])
        if manifest.derived:
            made = self._derived(manifest, spine, source_of)
            for column in manifest.derived:
                table = table.append_column(made.schema.field(column.name), made[column.name])
        return table

    def _derived(self, manifest: Manifest, spine: pa.Table, source_of: SourceOf | None) -> pa.Table:
        if manifest.name not in self.derive:
            raise NotRebuildableError(
                manifest=manifest.name, what="the function for", name=manifest.derived[0].name,
                remedy=f"give derive={{{manifest.name!r}: ...}}",
            )  # fmt: skip
        inputs: dict[str, pa.Table] = {}
        for name in dict.fromkeys(one.manifest for column in manifest.derived for one in column.inputs):
            other = self.input_of(manifest, name)
            rows = self._needed(manifest, spine, other)
            inputs[name] = self.make(other, rows=rows, source_of=source_of)
        made = self.derive[manifest.name](spine, inputs)
        for column in manifest.derived:
            if column.name not in made.column_names or made.num_rows != spine.num_rows:
                problem = f"was not derived, or not for each of {spine.num_rows} rows"
                raise ManifestInvalidError(
                    manifest=manifest.name, field=column.name, problem=problem, remedy="mend what derives it"
                )
        return made

    def _needed(self, manifest: Manifest, spine: pa.Table, other: Manifest) -> pa.Array:
        """Return the positions of the rows of an input that agree with these rows."""
        theirs = self.spine(other)
        wanted = [
            agreeing(spine, column.on, theirs, column.on)
            for column in manifest.derived
            if any(one.manifest == other.name for one in column.inputs)
        ]
        return pc.indices_nonzero(reduce(pc.or_, wanted))


def answer(manifest: Manifest, spine: pa.Table, sources: Sequence[FactSource]) -> pa.Table:
    """Return rows of a manifest's spine with what these sources answer at its cuts."""
    return as_of_join(spine, sources, known_at=given_cut(manifest.known_at), system_at=given_cut(manifest.system_at))


def fact_source(source: PinnedSource, facts: pa.Table, columns: Mapping[str, str]) -> FactSource:
    """Return a pinned source with facts, whose columns may have other names there."""
    return FactSource(
        facts=facts,
        columns=columns,
        keys=source.keys,
        spine_keys=source.spine_keys,
        ttl=source.ttl,
        delay=source.delay,
        reason=source.reason,
    )


def given_cut(cut: Cut | None) -> datetime | str | None:
    """Return a pinned cut as the reads take it."""
    return cut if cut is None else cut.at if isinstance(cut, At) else cut.column


def given_revision(revision: Tag | Snapshot | At) -> str | int | datetime:
    """Return a pinned revision as the lake takes it."""
    if isinstance(revision, Tag):
        return revision.tag
    return revision.snapshot if isinstance(revision, Snapshot) else revision.at


def inputs_of(column: DerivedColumn, manifest: Manifest, shop: Workshop) -> list[tuple[Manifest, str]]:
    """Return the manifests and columns that a derived column looks at.

    Raises
    ------
    NotRebuildableError
        One was not given.
    ManifestInvalidError
        One has no such column.
    """
    found = []
    for one in column.inputs:
        other = shop.input_of(manifest, one.manifest)
        if one.column not in {pinned.name for pinned in other.result.columns}:
            problem = f"derives from {one.manifest}.{one.column}, which is not there"
            raise ManifestInvalidError(manifest=manifest.name, field=column.name, problem=problem, remedy="rename it")
        found.append((other, one.column))
    return found


def spine_keys(source: PinnedSource) -> tuple[str, ...]:
    """Return the spine's columns that name the entities of a source."""
    return source.keys if source.spine_keys is None else source.spine_keys


def _entities(spine: pa.Table, source: PinnedSource, dataset: Dataset) -> list[Any] | None:
    """Return the entities these rows ask a source for, as a reader takes them; None for all."""
    if set(source.keys) != set(dataset.key_names):
        return None
    named = dict(zip(source.keys, spine_keys(source), strict=True))
    asked = pa.table([spine[named[key]] for key in dataset.key_names], list(dataset.key_names))
    for key in dataset.key_names:
        asked = asked.filter(pc.is_valid(asked[key]))
    distinct = asked.group_by(list(dataset.key_names)).aggregate([])
    if distinct.num_rows > MANY_ENTITIES:
        return None
    columns = [distinct[key].cast(dataset.schema.field(key).type).to_pylist() for key in dataset.key_names]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _latest_known(manifest: Manifest, source: PinnedSource, spine: pa.Table) -> datetime | None:
    """Return the latest knowledge cut of these rows, or None where no calendar has it."""
    if isinstance(manifest.known_at, At):
        cuts = [manifest.known_at.at]
    else:
        names = [TIME] if manifest.known_at is None else [manifest.known_at.column, TIME]
        cuts = [at for at in (pc.max(spine[name]).as_py() for name in names) if at is not None]
    try:
        return max(cuts) - source.delay if cuts else None
    except OverflowError:
        return None
