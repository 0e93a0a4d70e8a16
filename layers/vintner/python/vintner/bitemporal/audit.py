"""The leak audit: whether a table holds what was known at its times, and nothing else.

1. Replay: as-of join the table's keys and times with the sources the table claims to come from.
2. Compare every cell, found against expected: null is null, NaN is NaN, floats are equal when their bits are. A
   value recomputed with even one different input shows.
3. For each cell that differs, search the source's versions of that entity, whenever written, for the found value:
   the earliest ``knowledge_time`` at which it was stated. Later than the row's time means a leak, by ``lead``;
   earlier means a stale or wrongly chosen value; never means the value came from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import canonical, same
from vintner.bitemporal.errors import SpineTableError
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.keys import Spelling, number
from vintner.bitemporal.model import INSTANT, KNOWLEDGE_TIME, OP, Operation
from vintner.bitemporal.source import FactSource
from vintner.bitemporal.spine import TIME
from vintner.bitemporal.tabular import flat
from vintner.bitemporal.versions import text_array

FINDING_FIELDS: Final = (
    pa.field("entity", pa.string()),
    pa.field("time", INSTANT),
    pa.field("column", pa.string()),
    pa.field("value", pa.string()),
    pa.field("expected", pa.string()),
    pa.field("known_at", INSTANT),
    pa.field("lead", pa.duration("us")),
)
"""Columns of the findings of an audit; values are text, because columns differ in type."""

_SHOWN: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class LeakReport:
    """What a leak audit found.

    Parameters
    ----------
    cells
        How many cells were compared.
    findings
        One row per cell that differs, in the order of the columns, then of the rows: entity (string), time
        (timestamp[us, UTC]), column, value, expected (string, null for null), known_at (timestamp[us, UTC], when
        the value was first known, null for never), lead (duration[us], known_at minus time).

    Examples
    --------
    >>> report = LeakReport(cells=4, findings=pa.schema(FINDING_FIELDS).empty_table())
    >>> report.clean, str(report)
    (True, '4 cells compared: each holds what was known at its time.')
    """

    cells: int
    findings: pa.Table

    @property
    def clean(self) -> bool:
        """Whether no cell differs."""
        return bool(self.findings.num_rows == 0)

    def __str__(self) -> str:
        if self.clean:
            return f"{self.cells} cells compared: each holds what was known at its time."
        lines = [f"{self.cells} cells compared: {self.findings.num_rows} do not hold what was known at their time."]
        lines += [_sentence(finding) for finding in self.findings.slice(0, _SHOWN).to_pylist()]
        if self.findings.num_rows > _SHOWN:
            lines.append(f"  and {self.findings.num_rows - _SHOWN} more")
        return "\n".join(lines)


def audit_leaks(
    table: pa.Table,
    sources: Sequence[FactSource],
    *,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> LeakReport:
    """Replay every cell of ``table`` and list those that differ from what was known at their time.

    Parameters
    ----------
    table
        What :func:`as_of_join` would return: ``time`` (timestamp[us, UTC]), the entity columns the sources name
        (string), and one column per output name.
    sources
        The sources of the table, with the ttl and delay it was, or should have been, made with.
    known_at, system_at
        The cuts it was made with, if they were global; zoned.

    Returns
    -------
    LeakReport

    Raises
    ------
    SpineTableError
        An output column is missing, or cannot hold the values of its source.
    FactSourceError, FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import FactSource, audit_leaks, fact_schema
    >>> q1, april, may = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (4, 20), (5, 2)))
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table([["ACME"], [q1], [may], [0], ["upsert"], [may], [2.0]], schema=schema)
    >>> leaky = pa.table({"entity": ["ACME"], "time": [april], "eps": [2.0]})
    >>> print(audit_leaks(leaky, [FactSource(facts=facts, columns={"eps": "eps"})]))
    1 cells compared: 1 do not hold what was known at their time.
      ACME 2024-04-20T00:00:00+00:00 eps: holds 2, known was null; first known 2024-05-02T00:00:00+00:00, 12 days, \
0:00:00 after
    """
    outputs = [name for source in sources for name in source.columns]
    _check_outputs(table, outputs)
    spine = table.drop_columns(outputs) if outputs else table
    expected = as_of_join(spine, sources, known_at=known_at, system_at=system_at)
    found = [
        _findings(table, expected, source, name, column)
        for source in sources
        for name, column in source.columns.items()
    ]
    findings = pa.concat_tables([pa.schema(FINDING_FIELDS).empty_table(), *found])
    return LeakReport(cells=table.num_rows * len(outputs), findings=findings)


def _check_outputs(table: pa.Table, outputs: Sequence[str]) -> None:
    for name in outputs:
        if table.schema.get_field_index(name) < 0:
            raise SpineTableError(column=name, problem="is missing, or there twice", remedy="audit the whole table")


def _findings(table: pa.Table, expected: pa.Table, source: FactSource, name: str, column: str) -> pa.Table:
    wanted = expected[name].combine_chunks()
    value = _as_type(table[name].combine_chunks(), wanted.type, name)
    at = pc.indices_nonzero(pc.invert(same(value, wanted)))
    value, time = value.take(at), table[TIME].combine_chunks().take(at).cast(INSTANT)
    spelling = Spelling({key: table[key].take(at) for key in source.spine_names})
    entity = _entities(table, source.spine_names).take(at)
    known = _first_known(spelling, value, source, column)
    names = pa.array([name] * len(at), pa.string())
    columns = [entity, time, names, _text(value), _text(wanted.take(at)), known, pc.subtract(known, time)]
    return pa.table(columns, schema=pa.schema(FINDING_FIELDS))


def _entities(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return each row's entity as text; several keys with a slash between them."""
    parts = [_text(flat(table[name])) for name in names]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/")


def _as_type(array: pa.Array, wanted: pa.DataType, name: str) -> pa.Array:
    try:
        return array if array.type == wanted else array.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = f"is {array.type} and its values do not fit {wanted}"
        raise SpineTableError(column=name, problem=problem, remedy="give it the type of its source") from error


def _first_known(spelling: Spelling, value: pa.Array, source: FactSource, column: str) -> pa.Array:
    """Return when each value of each entity was first stated in the source (timestamp[us, UTC], null for never)."""
    if not len(value):
        return pa.array([], INSTANT)
    facts = source.table.filter(pc.equal(text_array(source.table[OP]), Operation.UPSERT.value))
    entities, key = number(facts, source.keys, in_order=False)
    code, key_of = spelling.codes(source.spine_names, entities)
    both = pa.concat_arrays([canonical(value), canonical(facts[column])])
    words = both.dictionary_encode(null_encoding="encode").indices.cast(pa.int64())
    count = pa.scalar(max(len(both), 1), pa.int64())
    said = pc.add(pc.multiply(key.cast(pa.int64()), count), words.slice(len(value)))
    stated = pa.table({"said": said, "known": facts[KNOWLEDGE_TIME]}).group_by("said").aggregate([("known", "min")])
    who = code if key_of is None else pc.if_else(pc.less(code, 0), None, code)
    who = who if key_of is None else key_of.take(who)
    asked = pc.add(pc.multiply(pc.fill_null(who, -1).cast(pa.int64()), count), words.slice(0, len(value)))
    place = pc.index_in(asked, value_set=stated["said"].combine_chunks())
    return stated["known_min"].combine_chunks().take(place).cast(INSTANT)


def _text(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())


def _sentence(finding: dict[str, Any]) -> str:
    value, expected = (finding[name] if finding[name] is not None else "null" for name in ("value", "expected"))
    cell = f"{finding['entity']} {finding['time'].isoformat()} {finding['column']}"
    text = f"  {cell}: holds {value}, known was {expected}"
    if finding["known_at"] is None:
        return f"{text}; never known"
    lead = finding["lead"]
    side = f"{lead} after" if lead.total_seconds() > 0 else f"{-lead} before"
    return f"{text}; first known {finding['known_at'].isoformat()}, {side}"
