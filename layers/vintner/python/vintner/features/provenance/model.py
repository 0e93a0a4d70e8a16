"""The manifest: what a training set, a feature table or a set of signals was made from, and what came out.

A manifest pins five things, and with them the bytes of the table:

1. its rows (the spine), inside the manifest or as a file with a digest;
2. its sources: dataset, columns, keys, ttl and delay, and the lake's revision they are read at;
3. its cuts: one instant for all rows, or the column with each row's own;
4. the version of the code that made it;
5. the digest of the result, by column and block of rows.

A column may also be *derived* from columns of other manifests, by code the platform does not know: a signal from
features. Then the manifest says which, and which of their rows a row of its own looks at.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Literal, Self

import pyarrow as pa
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from vintner.bitemporal.content import ColumnContent, Content
from vintner.bitemporal.model import ENTITY
from vintner.bitemporal.spine import TIME
from vintner.features.provenance.errors import ManifestInvalidError

Kind = Literal["training", "features", "signals"]


class Strict(BaseModel):
    """A part of a manifest: it never changes, and knows no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class At(Strict):
    """One instant, with a zone."""

    at: AwareDatetime


class FromColumn(Strict):
    """The column of the spine that has each row's own instant."""

    column: str


class Tag(Strict):
    """A tagged revision of the lake."""

    tag: str


class Snapshot(Strict):
    """A snapshot of a table of the lake."""

    snapshot: int


def cut_of(value: datetime | str | None) -> At | FromColumn | None:
    """Return a cut as a manifest holds it: an aware datetime, the name of a column, or none."""
    if value is None:
        return None
    return FromColumn(column=value) if isinstance(value, str) else At(at=value)


def revision_of(value: str | int | datetime | None) -> Tag | Snapshot | At | None:
    """Return a revision as a manifest holds it: a tag, a snapshot's number, an aware datetime, or none."""
    if value is None or isinstance(value, datetime):
        return None if value is None else At(at=value)
    return Tag(tag=value) if isinstance(value, str) else Snapshot(snapshot=value)


Cut = At | FromColumn
Revision = Tag | Snapshot | At

Columns = Annotated[
    Mapping[str, str], AfterValidator(lambda names: MappingProxyType(dict(names))), PlainSerializer(dict)
]
"""Output name to column of the dataset, in order."""


class InlineRows(Strict):
    """The rows of a spine, inside the manifest.

    ``arrow`` is an Arrow IPC stream in base64.

    Examples
    --------
    >>> rows = InlineRows.of(pa.table({"entity": ["ACME"]}))
    >>> rows.table().to_pylist()
    [{'entity': 'ACME'}]
    """

    arrow: str

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Return these rows as part of a manifest."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        return cls(arrow=b64encode(sink.getvalue()).decode())

    def table(self) -> pa.Table:
        """Return the rows."""
        return pa.ipc.open_stream(b64decode(self.arrow)).read_all()


class StoredRows(Strict):
    """The rows of a spine in a Parquet or Arrow file; the digest is of what it says, not of its bytes."""

    uri: str
    rows: int
    digest: str


class PinnedSource(Strict):
    """One dataset and how it answered: :class:`vintner.bitemporal.FactSource`, with a name instead of facts.

    Parameters
    ----------
    dataset
        Name of the dataset.
    columns
        Output name to column of the dataset.
    keys, spine_keys
        Key columns of the dataset, and the spine's columns that name them (None: the same names).
    ttl, delay
        Largest age of an answer, and availability delay.
    reason
        Name of the output column that says why there is no answer, or None.
    revision
        The lake's revision that is read, or None: everything there is, up to the manifest's cuts.
    """

    dataset: str
    columns: Columns
    keys: tuple[str, ...] = (ENTITY,)
    spine_keys: tuple[str, ...] | None = None
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)
    reason: str | None = None
    revision: Revision | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output columns, in order."""
        return (*self.columns, *(() if self.reason is None else (self.reason,)))


class Input(Strict):
    """A column of another manifest that a derived column looks at."""

    manifest: str
    column: str


class DerivedColumn(Strict):
    """A column made from columns of other manifests.

    Parameters
    ----------
    name
        The column.
    inputs
        What it is made from.
    on
        A row may depend on those rows of its inputs that agree with it in these columns of both spines, and on no
        others. A rank over all entities of one time depends ``on=("time",)``.
    """

    name: str
    inputs: tuple[Input, ...] = Field(min_length=1)
    on: tuple[str, ...] = Field(default=(ENTITY, TIME), min_length=1)


class PinnedColumn(Strict):
    """Type and digests of one column of the result; see :mod:`vintner.bitemporal.content`."""

    name: str
    type: str
    digest: str
    blocks: tuple[str, ...]


class PinnedResult(Strict):
    """What came out: number of rows, and digests of the table, its columns, and their blocks."""

    rows: int
    digest: str
    columns: tuple[PinnedColumn, ...]

    @classmethod
    def of(cls, content: Content) -> Self:
        """Return the pin of a table's content."""
        columns = (PinnedColumn(name=c.name, type=c.type, digest=c.digest, blocks=c.blocks) for c in content.columns)
        return cls(rows=content.rows, digest=content.digest, columns=tuple(columns))

    def content(self) -> Content:
        """Return the content that is pinned."""
        columns = tuple(ColumnContent(c.name, c.type, c.digest, c.blocks) for c in self.columns)
        return Content(rows=self.rows, columns=columns, digest=self.digest)


class Manifest(Strict):
    """What a table was made from, and what came out.

    Parameters
    ----------
    name
        Name of the table; other manifests refer to it by this.
    kind
        ``training``, ``features`` or ``signals``.
    spine
        Its rows.
    sources
        The datasets that answered its columns.
    derived
        The columns made from other manifests.
    known_at, system_at
        The cuts: an instant, or the column with each row's own; None is each row's time, and everything stored.
    code_version
        What made it, for instance the commit.
    result
        What came out.

    Raises
    ------
    pydantic.ValidationError
        A field is missing, unknown, or not valid.
    ManifestInvalidError
        It has no columns, or two of one name.

    Examples
    --------
    >>> Manifest.model_validate_json(manifest.model_dump_json()) == manifest  # doctest: +SKIP
    True
    """

    name: str = Field(min_length=1)
    kind: Kind
    spine: InlineRows | StoredRows
    sources: tuple[PinnedSource, ...] = ()
    derived: tuple[DerivedColumn, ...] = ()
    known_at: Cut | None = None
    system_at: Cut | None = None
    code_version: str = Field(min_length=1)
    result: PinnedResult

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        outputs = self.outputs
        pinned = [column.name for column in self.result.columns]
        for name in outputs:
            if outputs.count(name) > 1:
                raise self._invalid("columns", f"name {name!r} twice", "give every output column a name of its own")
            if pinned.count(name) != 1:
                raise self._invalid("result", f"lacks the column {name!r}", "pin the table with all its columns")
        if not outputs:
            raise self._invalid("columns", "are none", "name the sources, or what the columns derive from")
        return self

    def _invalid(self, field: str, problem: str, remedy: str) -> ManifestInvalidError:
        return ManifestInvalidError(manifest=self.name, field=field, problem=problem, remedy=remedy)

    @property
    def outputs(self) -> list[str]:
        """The columns that are not of the spine, in the order they are made."""
        return [*(name for source in self.sources for name in source.outputs), *(one.name for one in self.derived)]

    @property
    def id(self) -> str:
        """SHA-256 of the manifest's JSON: equal exactly when everything pinned is."""
        return sha256(self.model_dump_json().encode()).hexdigest()


def by_name(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return manifests by their names.

    Raises
    ------
    ManifestInvalidError
        Two have one name.
    """
    named: dict[str, Manifest] = {}
    for manifest in manifests:
        if named.setdefault(manifest.name, manifest) != manifest:
            raise ManifestInvalidError(
                manifest=manifest.name, field="name", problem="is that of another manifest", remedy="rename one"
            )
    return named
