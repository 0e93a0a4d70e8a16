"""From a table to its manifest, and from the manifest to the same table again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import same
from vintner.bitemporal.content import block_rows, content_of
from vintner.bitemporal.errors import SpineTableError
from vintner.bitemporal.tabular import flat
from vintner.features.model import FeatureView
from vintner.features.provenance.build import Derive, Workshop, read_rows
from vintner.features.provenance.errors import RebuildDiffersError
from vintner.features.provenance.model import (
    DerivedColumn,
    InlineRows,
    Kind,
    Manifest,
    PinnedResult,
    PinnedSource,
    StoredRows,
    by_name,
    cut_of,
    revision_of,
)
from vintner.features.table import key_column, source_groups
from vintner.lake.model import Dataset
from vintner.marketdata.datasets import DATASETS

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader


def manifest_of(
    table: pa.Table,
    *,
    name: str,
    kind: Kind,
    code_version: str,
    sources: Sequence[PinnedSource] = (),
    derived: Sequence[DerivedColumn] = (),
    known_at: datetime | str | None = None,
    system_at: datetime | str | None = None,
    stored_at: str | None = None,
) -> Manifest:
    """Return the manifest of a table that was made from these sources with these cuts.

    Parameters
    ----------
    table
        The table: its spine, and the columns that the sources and derivations name.
    name, kind
        What it is called, and whether it is ``training``, ``features`` or ``signals``.
    code_version
        What made it, for instance the commit.
    sources, derived
        Where its columns come from.
    known_at, system_at
        The cuts it was made with: one instant (zoned) for all rows, or the name of the column with each row's own.
    stored_at
        Address of a Parquet or Arrow file that has the spine: the manifest then holds its digest instead of the rows.

    Raises
    ------
    ManifestInvalidError, SpineTableError
        The table lacks a column that the sources or derivations name.

    Examples
    --------
    >>> from datetime import UTC
    >>> table = pa.table({"entity": ["uk.gdpkp"], "time": [datetime(2009, 1, 1, tzinfo=UTC)], "gdp": [1.5]})
    >>> source = PinnedSource(dataset="macro_series", columns={"gdp": "value"})
    >>> manifest = manifest_of(table, name="gdp", kind="features", code_version="1", sources=[source])
    >>> manifest.spine.table().column_names, manifest.result.rows
    (['entity', 'time'], 1)
    """
    outputs = [*(name for source in sources for name in source.outputs), *(column.name for column in derived)]
    for column in outputs:
        if table.schema.get_field_index(column) < 0:
            raise SpineTableError(column=column, problem="is missing, or there twice", remedy="pin the whole table")
    spine = table.drop_columns(list(dict.fromkeys(outputs)))
    content = content_of(spine)
    rows = InlineRows.of(spine) if stored_at is None else None
    return Manifest(
        name=name,
        kind=kind,
        spine=rows or StoredRows(uri=str(stored_at), rows=content.rows, digest=content.digest),
        sources=tuple(sources),
        derived=tuple(derived),
        known_at=cut_of(known_at),
        system_at=cut_of(system_at),
        code_version=code_version,
        result=PinnedResult.of(content_of(table)),
    )


def pinned_sources(
    view: FeatureView, *, revisions: Mapping[str, str | int | datetime] | None = None
) -> list[PinnedSource]:
    """Return the sources of a feature view, for a table made with :func:`vintner.features.with_entity_keys`.

    Parameters
    ----------
    revisions
        By dataset, the lake's revision it was read at: a tag, a snapshot's number, or an instant.

    Examples
    --------
    >>> from vintner.features import EQUITY_DAILY
    >>> [source.spine_keys for source in pinned_sources(EQUITY_DAILY)][:2]
    [('entity',), ('entity:SP500/{entity}',)]
    """
    at = revisions or {}
    return [
        PinnedSource(
            dataset=group.dataset,
            columns={feature.name: feature.column for feature in features},
            spine_keys=(key_column(group.naming),),
            ttl=group.ttl,
            delay=group.delay,
            revision=revision_of(at.get(group.dataset)),
        )
        for group, features in source_groups(view).items()
    ]


def rebuild(
    manifest: Manifest,
    reader: FactReader,
    *,
    manifests: Sequence[Manifest] = (),
    derive: Mapping[str, Derive] | None = None,
    datasets: Mapping[str, Dataset] = DATASETS,
    load: Callable[[str], pa.Table] = read_rows,
    original: pa.Table | None = None,
) -> pa.Table:
    """Make a manifest's table again, and hold it against what was pinned.

    Parameters
    ----------
    reader
        Where the facts are.
    manifests, derive
        For derived columns: the manifests they derive from, and by name of the manifest what makes its columns.
    datasets
        The declared datasets, by name.
    load
        Returns the rows at an address.
    original
        The table as it was, if there is one: an error then names the first row exactly, and both values.

    Returns
    -------
    pa.Table
        The table, its columns in the order they were pinned.

    Raises
    ------
    RebuildDiffersError
        It is not what was pinned; names the first column that differs, and the rows.
    NotRebuildableError, PinnedRowsChangedError
        Something it was made from is not at hand, or not as it was.

    Examples
    --------
    >>> rebuild(manifest, reader).equals(table)  # doctest: +SKIP
    True
    """
    shop = Workshop(
        reader=reader, datasets=datasets, manifests=by_name([*manifests, manifest]), derive=derive or {}, load=load
    )
    made = shop.make(manifest)
    made = made.select([column.name for column in manifest.result.columns])
    _check(manifest, made, original)
    return made


def _check(manifest: Manifest, made: pa.Table, original: pa.Table | None) -> None:
    found, pinned = content_of(made), manifest.result.content()
    if found == pinned:
        return
    for now, then in zip(found.columns, pinned.columns, strict=True):
        if now.type != then.type:
            raise _differs(manifest, now.name, "every row", f"its type is {now.type} and was {then.type}")
        if now.digest == then.digest:
            continue
        if original is not None:
            raise _differs(manifest, now.name, *_first(made[now.name], original[now.name]))
        step = block_rows(pinned.rows)
        block = next(at for at, (a, b) in enumerate(zip(now.blocks, then.blocks, strict=True)) if a != b)
        last = min((block + 1) * step, pinned.rows) - 1
        rows = f"row {last}" if step == 1 else f"rows {block * step} to {last}"
        raise _differs(manifest, now.name, rows, "its digest is another one")
    raise _differs(manifest, "(the whole table)", "every row", f"its digest is {found.digest} and was {pinned.digest}")


def _first(made: pa.ChunkedArray, original: pa.ChunkedArray) -> tuple[str, str]:
    now, then = flat(made), flat(original.cast(made.type))
    at = pc.index(same(now, then), False).as_py()
    if at < 0:
        return "no row", "the table given as the original is not what was pinned"
    return f"row {at}", f"it is {now[at].as_py()!r} and was {then[at].as_py()!r}"


def _differs(manifest: Manifest, column: str, rows: str, difference: str) -> RebuildDiffersError:
    return RebuildDiffersError(
        manifest=manifest.name, column=column, rows=rows, difference=difference, code_version=manifest.code_version
    )
