"""From a record type to its wire schema: a frozen dataclass is the one declaration of what a stream carries.

1.  A record type is a frozen dataclass decorated with :func:`record`; each field is annotated with its Python type and
    a :class:`Doc`. The type tells producers and consumers (and mypy) what a record is.
2.  :func:`schema_of` derives the Arrow schema that batches of it travel in: ``Decimal`` is exact to eight places,
    instants are UTC microseconds, ``X | None`` may be null.
3.  A later version of a type may only add fields that may be null (``Doc(since=2)``): :func:`schema_at` is the schema
    of any version, and what is read in an older one gets nulls.
"""

from __future__ import annotations

import dataclasses
import types
import typing
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, Union

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.messaging.errors import RecordTypeError

PLACES: Final = 8
"""Decimal places of prices and sizes."""

DECIMAL: Final = pa.decimal128(18, PLACES)
"""Prices and sizes: exact, up to ten digits before the point."""

_ARROW: Final[Mapping[Any, pa.DataType]] = types.MappingProxyType(
    {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), Decimal: DECIMAL, datetime: INSTANT}
)
_WORDS: Final[Mapping[pa.DataType, str]] = types.MappingProxyType(
    {pa.string(): "text", pa.int64(): "int64", pa.float64(): "float64", pa.bool_(): "bool", INSTANT: "instant"}
)
_VERSION: Final = "__record_version__"
_NAME: Final = "__record_name__"

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _cached(function: F) -> F:
    """Remember answers about record types: they never change, and a consumer asks at every delivery."""
    return typing.cast("F", lru_cache(maxsize=None)(function))


@dataclass(frozen=True, slots=True)
class Doc:
    """What a field means; the version of the record type that brought it; its exact Arrow type where it is wider."""

    text: str
    since: int = 1
    arrow: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field of a record type."""

    name: str
    type: pa.DataType
    nullable: bool
    doc: str
    since: int

    @property
    def arrow(self) -> pa.Field:
        """The field as Arrow has it."""
        return pa.field(self.name, self.type, nullable=self.nullable)


def record(name: str, *, version: int) -> Callable[[type[T]], type[T]]:
    """Declare a frozen dataclass as a record type.

    Parameters
    ----------
    name
        Its name on the wire, lower case with underscores.
    version
        Its present version: the highest ``since`` of its fields, or later where only a meaning changed.

    Raises
    ------
    RecordTypeError
        A field has a type no wire form exists for, or was added later and may not be null.

    Examples
    --------
    >>> @record("tick", version=2)
    ... @dataclass(frozen=True, slots=True, kw_only=True)
    ... class Tick:
    ...     symbol: Annotated[str, Doc("Symbol.")]
    ...     size: Annotated[int | None, Doc("Lots.", since=2)] = None
    >>> schema_of(Tick).names, schema_at(Tick, 1).names
    (['symbol', 'size'], ['symbol'])
    """

    def declare(kind: type[T]) -> type[T]:
        setattr(kind, _NAME, name)
        setattr(kind, _VERSION, version)
        for field in fields_of(kind):
            late = field.since > 1 and not field.nullable
            if late or field.since > version:
                raise RecordTypeError(
                    record=name, field=field.name, problem=f"is of version {field.since} of {version}"
                )
        return kind

    return declare


def name_of(kind: type[Any]) -> str:
    """Return a record type's name on the wire."""
    return str(getattr(kind, _NAME))


def version_of(kind: type[Any]) -> int:
    """Return a record type's present version."""
    return int(getattr(kind, _VERSION))


@_cached
def fields_of(kind: type[Any]) -> tuple[RecordField, ...]:
    """Return the fields of a record type, in their order on the wire."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(_field(kind, field.name, hints[field.name]) for field in dataclasses.fields(kind))


@_cached
def schema_of(kind: type[Any]) -> pa.Schema:
    """Return the Arrow schema of batches of a record type in its present version."""
    return schema_at(kind, version_of(kind))


@_cached
def schema_at(kind: type[Any], version: int) -> pa.Schema:
    """Return the Arrow schema of batches of a record type in a version."""
    return pa.schema([field.arrow for field in fields_of(kind) if field.since <= version])


@_cached
def nothing_of(kind: type[Any]) -> pa.RecordBatch:
    """Return a batch of no records of a type."""
    return pa.RecordBatch.from_pylist([], schema=schema_of(kind))


@_cached
def fingerprint(kind: type[Any], version: int) -> int:
    """Return four bytes that say which fields of which types a version has, in which order."""
    fields = (one for one in fields_of(kind) if one.since <= version)
    words = (f"{one.name} {_word(one.type)}{' null' if one.nullable else ''}" for one in fields)
    return zlib.crc32("\n".join(words).encode())


def as_batch(records: list[Any], kind: type[T]) -> pa.RecordBatch:
    """Return records of a type as a batch of its schema."""
    columns = {field.name: [getattr(one, field.name) for one in records] for field in fields_of(kind)}
    return pa.RecordBatch.from_pydict(columns, schema=schema_of(kind))


def as_records(batch: pa.RecordBatch | pa.Table, kind: type[T]) -> list[T]:
    """Return the rows of a batch as records of a type."""
    return [kind(**row) for row in batch.select(schema_of(kind).names).to_pylist()]


def _word(kind: pa.DataType) -> str:
    """Return what a type is called in a fingerprint: our own word, so that no release of Arrow can change it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return _WORDS.get(kind, str(kind))


def _field(kind: type[Any], name: str, hint: Any) -> RecordField:
    if typing.get_origin(hint) is not Annotated:
        raise RecordTypeError(record=name_of(kind), field=name, problem="has no Doc")
    inner, doc, *_ = typing.get_args(hint)
    nullable = typing.get_origin(inner) in (Union, types.UnionType)
    if nullable:
        (inner,) = (one for one in typing.get_args(inner) if one is not type(None))
    if isinstance(inner, type) and issubclass(inner, StrEnum):
        inner = str
    arrow = doc.arrow or _ARROW.get(inner)
    if arrow is None:
        raise RecordTypeError(record=name_of(kind), field=name, problem=f"is {inner}, which has no wire form")
    return RecordField(name, arrow, nullable, doc.text, doc.since)
