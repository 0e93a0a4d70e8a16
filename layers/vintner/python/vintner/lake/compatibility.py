"""What may change in a declared table, and what may not: the rules, as data, and which of them a change falls under.

1.  Compare the table as it is with its declaration, column by column, then keys, partitioning, order and properties.
2.  Each difference is of one kind, and each kind has one rule: it is *applied*, it needs *nothing*, or it is *refused*
    with what to do instead.
3.  One refusal refuses the whole change of that table.

Whatever is applied is a change of metadata alone, after which every older row and every older snapshot still reads:
older rows have no value for a new column, and an older, narrower type is widened as it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.sorting import SortOrder
from pyiceberg.types import DecimalType, DoubleType, FloatType, IcebergType, IntegerType, LongType, NestedField

from vintner.bitemporal.content import logical_type
from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.lake.model import RECORD_ID, SOURCE

_NOT_KEYS: Final = {EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP, INGESTED_AT, SOURCE, RECORD_ID}
_FIXED: Final = "format-version"

KEYS: Final = "vintner.keys"
"""Property of a fact table: the names of its entity keys."""


class Verdict(StrEnum):
    """What becomes of a change."""

    APPLIED = "applied"
    NOTHING = "nothing to do"
    REFUSED = "refused"


class ChangeKind(StrEnum):
    """In what way a declaration differs from its table."""

    ADD_OPTIONAL = "add an optional column"
    ADD_REQUIRED = "add a required column"
    RETIRE = "declare a column no longer"
    RENAME = "rename a column"
    WIDEN = "widen a type"
    RETYPE = "change a type otherwise"
    RELAX = "make a column optional"
    TIGHTEN = "make a column required"
    DOCUMENT = "change a column's documentation"
    REKEY = "change the entity keys"
    REPARTITION = "change the partitioning"
    RESORT = "change the order within files"
    SET = "change a property"


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of changes of one kind, and why or what to do instead."""

    verdict: Verdict
    reason: str


_ANOTHER: Final = "declare a dataset of another name, the next version of this one, and publish the rows into it"

RULES: Final[Mapping[ChangeKind, Rule]] = {
    ChangeKind.ADD_OPTIONAL: Rule(Verdict.APPLIED, "rows written before have no value for it"),
    ChangeKind.ADD_REQUIRED: Rule(
        Verdict.REFUSED, "declare it optional, since rows written before have no value for it"
    ),
    ChangeKind.RETIRE: Rule(Verdict.NOTHING, "the column stays, and rows that have a value keep it"),
    ChangeKind.RENAME: Rule(
        Verdict.REFUSED, "go on declaring the old column beside the new one; a value does not move by its name"
    ),
    ChangeKind.WIDEN: Rule(Verdict.APPLIED, "every value there is has the same meaning in the wider type"),
    ChangeKind.RETYPE: Rule(Verdict.REFUSED, "declare a column of another name and leave this one as it is"),
    ChangeKind.RELAX: Rule(Verdict.APPLIED, "every value there is stays"),
    ChangeKind.TIGHTEN: Rule(Verdict.REFUSED, "leave it optional, since rows written before may lack a value"),
    ChangeKind.DOCUMENT: Rule(Verdict.APPLIED, "no value is touched"),
    ChangeKind.REKEY: Rule(Verdict.REFUSED, _ANOTHER),
    ChangeKind.REPARTITION: Rule(Verdict.REFUSED, _ANOTHER),
    ChangeKind.RESORT: Rule(Verdict.APPLIED, "files written from now on are in the new order"),
    ChangeKind.SET: Rule(Verdict.APPLIED, "no value is touched"),
}
"""The rule of each kind of change. The order of columns is no difference: they are read by name."""

WIDENINGS: Final[frozenset[tuple[type[IcebergType], type[IcebergType]]]] = frozenset(
    {(IntegerType, LongType), (FloatType, DoubleType)}
)
"""Types that may be widened, besides a decimal to more digits of the same scale."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a declaration differs from its table; ``present`` and ``declared`` as text."""

    kind: ChangeKind
    what: str
    present: str
    declared: str

    @property
    def rule(self) -> Rule:
        """The rule it falls under."""
        return RULES[self.kind]


def differences(
    table: Table, schema: Schema, partitioning: PartitionSpec, order: SortOrder, properties: Mapping[str, str]
) -> list[Difference]:
    """Return how a declaration differs from a table as it is, columns first."""
    present = table.schema()
    found = list(_columns(present, schema))
    keys = _keys(table), properties.get(KEYS)
    if keys[1] is not None and keys[0] != keys[1]:
        found.append(Difference(ChangeKind.REKEY, "keys", keys[0], keys[1]))
    parts = _parts(table.spec(), present), _parts(partitioning, schema)
    if parts[0] != parts[1]:
        found.append(Difference(ChangeKind.REPARTITION, "partitioning", *parts))
    sorts = _sorts(table.sort_order(), present), _sorts(order, schema)
    if sorts[0] != sorts[1]:
        found.append(Difference(ChangeKind.RESORT, "order", ", ".join(sorts[0]), ", ".join(sorts[1])))
    for name, value in properties.items():
        if name != _FIXED and table.properties.get(name) != value:
            found.append(Difference(ChangeKind.SET, name, str(table.properties.get(name)), value))
    return found


def may_widen(present: IcebergType, declared: IcebergType) -> bool:
    """Return whether every value of a type has the same meaning in another, wider one.

    Examples
    --------
    >>> may_widen(IntegerType(), LongType()), may_widen(LongType(), IntegerType()), may_widen(FloatType(), LongType())
    (True, False, False)
    >>> may_widen(DecimalType(9, 2), DecimalType(12, 2)), may_widen(DecimalType(9, 2), DecimalType(12, 4))
    (True, False)
    """
    if isinstance(present, DecimalType) and isinstance(declared, DecimalType):
        return present.scale == declared.scale and present.precision < declared.precision
    return (type(present), type(declared)) in WIDENINGS


def _columns(present: Schema, declared: Schema) -> Iterator[Difference]:
    there = {field.name: field for field in present.fields}
    wanted = {field.name: field for field in declared.fields}
    retired = [field for name, field in there.items() if name not in wanted]
    for name, field in wanted.items():
        if name in there:
            yield from _changed(there[name], field)
            continue
        kind = ChangeKind.ADD_REQUIRED if field.required else ChangeKind.ADD_OPTIONAL
        if any(_same_type(one.field_type, field.field_type) for one in retired) and not field.required:
            kind = ChangeKind.RENAME
        yield Difference(kind, name, "absent", _text(field))
    yield from (Difference(ChangeKind.RETIRE, field.name, _text(field), "not declared") for field in retired)


def _changed(present: NestedField, declared: NestedField) -> Iterator[Difference]:
    told = present.name, _text(present), _text(declared)
    if not _same_type(present.field_type, declared.field_type):
        wider = may_widen(present.field_type, declared.field_type)
        yield Difference(ChangeKind.WIDEN if wider else ChangeKind.RETYPE, *told)
    if present.required != declared.required:
        yield Difference(ChangeKind.RELAX if present.required else ChangeKind.TIGHTEN, *told)
    if declared.doc is not None and present.doc != declared.doc:
        yield Difference(ChangeKind.DOCUMENT, present.name, str(present.doc), declared.doc)


def _same_type(one: IcebergType, other: IcebergType) -> bool:
    """Whether two types are the same but for the ids of what is nested in them."""
    left, right = (schema_to_pyarrow(kind, include_field_ids=False) for kind in (one, other))
    return type(one) is type(other) and logical_type(left) == logical_type(right)


def _text(field: NestedField) -> str:
    return f"required {field.field_type}" if field.required else str(field.field_type)


def _keys(table: Table) -> str:
    """Return the entity keys of a table: those it was made with, else the required columns that are no clock."""
    required = [field.name for field in table.schema().fields if field.required and field.name not in _NOT_KEYS]
    return table.properties.get(KEYS, ",".join(required))


def _parts(spec: PartitionSpec, schema: Schema) -> str:
    parts = [f"{field.transform}({schema.find_column_name(field.source_id)})" for field in spec.fields]
    return ", ".join(parts) or "none"


def _sorts(order: SortOrder, schema: Schema) -> list[str]:
    return [str(schema.find_column_name(field.source_id)) for field in order.fields]
