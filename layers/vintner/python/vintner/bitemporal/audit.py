"""The leak audit: whether a table holds what was known at its times, and nothing else.

1. Replay: as-of join the table's keys and times with the sources the table claims to come from. A long table, with
   one cell per row and a column that names its source, is replayed source by source.
2. Compare every cell, found against expected: null is null, NaN is NaN, floats are equal when their bits are. A
   value recomputed with even one different input shows.
3. For each cell that differs, search the source's versions of that entity, whenever known or written, for the found
   value. If some version by the row's cuts stated it, it is stale or wrongly chosen; if only later ones did, it looks
   ahead, by ``lead``; if none ever did, it came from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import EARLIEST, instants_us, span_us
from vintner.bitemporal.compare import canonical, same
from vintner.bitemporal.errors import FactSourceError, SpineTableError
from vintner.bitemporal.findings import AHEAD, FINDING_FIELDS, MISSING, REASON, STALE, UNSTATED, LeakReport
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.matching import numbered
from vintner.bitemporal.model import INGESTED_AT, INSTANT, KNOWLEDGE_TIME, OP, Operation
from vintner.bitemporal.source import FactSource
from vintner.bitemporal.spine import TIME, Cut, Spine, spine_of
from vintner.bitemporal.tabular import Tabular, entity_text, flat, table_of, text_of
from vintner.bitemporal.versions import text_array


def audit_leaks(
    table: Tabular, sources: Sequence[FactSource], *, known_at: Cut = None, system_at: Cut = None
) -> LeakReport:
    """Replay every cell of ``table`` and list those that differ from what was known at their time.

    Parameters
    ----------
    table
        What :func:`as_of_join` would return: ``time`` (timestamp[us, UTC]), the key columns the sources name, and
        one column per output name, reasons included.
    sources
        The sources of the table, with the ttl and delay it was, or should have been, made with.
    known_at, system_at
        The cuts it was made with, as :func:`as_of_join` takes them.

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
    >>> from datetime import UTC, datetime
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
    given = table_of(table)
    outputs = [name for source in sources for name, _ in _cells(source)]
    for name in outputs:
        _require(given, name)
    spine = given.drop_columns(list(dict.fromkeys(outputs))) if outputs else given
    expected = as_of_join(spine, sources, known_at=known_at, system_at=system_at)
    asked = spine_of(spine, (), known_at=known_at, system_at=system_at)
    found = [
        _findings(given, expected, asked, source, name, column) for source in sources for name, column in _cells(source)
    ]
    findings = pa.concat_tables([pa.schema(FINDING_FIELDS).empty_table(), *found])
    return LeakReport(cells=given.num_rows * len(outputs), findings=findings)


def audit_cells(
    table: Tabular,
    sources: Mapping[str, FactSource],
    *,
    value: str = "value",
    source: str = "source",
    known_at: Cut = None,
    system_at: Cut = None,
) -> LeakReport:
    """Replay a long table, one cell per row, and list the cells that differ from what was known at their time.

    Parameters
    ----------
    table
        ``time`` (timestamp[us, UTC]), the key columns the sources name, and the columns ``value`` and ``source``. The
        values may be of any type that fits the type of their source; where sources differ in type, text does.
    sources
        By name, as the rows name them: the facts, with one column each, and the ttl and delay that apply.
    value, source
        Names of the column with the values and of the one that names their sources.
    known_at, system_at
        The cuts the table was made with, as :func:`as_of_join` takes them.

    Returns
    -------
    LeakReport
        Its findings name the source as their column.

    Raises
    ------
    SpineTableError
        A column is missing, a row names a source that was not given, or a value does not fit its source.
    FactSourceError
        A source answers more or less than one column.
    FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vintner.bitemporal import FactSource, audit_cells, fact_schema
    >>> q1, april, may = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (4, 20), (5, 2)))
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table([["ACME"], [q1], [may], [0], ["upsert"], [may], [2.0]], schema=schema)
    >>> cells = pa.table({"entity": ["ACME", "ACME"], "time": [april, may], "value": [2.0, 2.0],
    ...                   "source": ["reports", "reports"]})
    >>> audit_cells(cells, {"reports": FactSource(facts=facts, columns={"eps": "eps"})}).leaks["position"].to_pylist()
    [0]
    """
    given = table_of(table)
    for name in (value, source):
        _require(given, name)
    names = text_array(given[source])
    _check_named(names, sources, source)
    found = []
    for name, facts in sources.items():
        if len(facts.columns) != 1:
            problem, remedy = f"are {len(facts.columns)} of {name}", "give a source one column, and no reason"
            raise FactSourceError(column="columns", problem=problem, remedy=remedy)
        rows = pc.indices_nonzero(pc.equal(names, name))
        part = given.drop_columns([source]).take(rows).rename_columns({value: name})
        own = replace(facts, columns={name: next(iter(facts.columns.values()))}, reason=None)
        findings = audit_leaks(part, [own], known_at=known_at, system_at=system_at).findings
        positions = rows.cast(pa.int64()).take(findings["position"])
        found.append(findings.set_column(0, FINDING_FIELDS[0], positions))
    findings = pa.concat_tables([pa.schema(FINDING_FIELDS).empty_table(), *found])
    return LeakReport(cells=given.num_rows, findings=findings.sort_by("position"))


def _check_named(names: pa.Array, sources: Mapping[str, FactSource], column: str) -> None:
    known = pc.is_in(names, value_set=pa.array(list(sources), pa.string()))
    stranger = pc.index(known, False).as_py()
    if stranger >= 0:
        problem = f"names {names[stranger].as_py()!r} in row {stranger}"
        remedy = f"name one of {', '.join(sources)}, or give the facts of that source"
        raise SpineTableError(column=column, problem=problem, remedy=remedy)


def _require(table: pa.Table, name: str) -> None:
    if table.schema.get_field_index(name) < 0:
        raise SpineTableError(column=name, problem="is missing, or there twice", remedy="audit the whole table")


def _cells(source: FactSource) -> list[tuple[str, str | None]]:
    """Return the output names of a source, each with its column; the reason has none."""
    return [*source.columns.items(), *([] if source.reason is None else [(source.reason, None)])]


def _findings(
    table: pa.Table, expected: pa.Table, asked: Spine, source: FactSource, name: str, column: str | None
) -> pa.Table:
    wanted = flat(expected[name])
    value = _as_type(flat(table[name]), wanted.type, name)
    at = pc.indices_nonzero(pc.invert(same(value, wanted)))
    rows, value, wanted = table.take(at), value.take(at), wanted.take(at)
    cuts = _cuts(asked, source, at)
    if column is None:
        known, verdict = pa.nulls(len(at), pa.int64()), pa.repeat(REASON, len(at))
    else:
        known, verdict = _first_known(rows, value, cuts, source, column)
    # A cut before all calendars is as good as one long ago, and the difference fits.
    lead = pc.subtract(known, pc.max_element_wise(flat(cuts["known"]), pa.scalar(EARLIEST // 2, pa.int64())))
    columns = {
        "position": at.cast(pa.int64()),
        "entity": entity_text(rows, source.spine_names),
        "time": flat(rows[TIME]).cast(INSTANT),
        "column": pa.repeat(name, len(at)),
        "value": text_of(value),
        "expected": text_of(wanted),
        "verdict": verdict,
        "known_at": known.cast(INSTANT),
        "lead": lead.cast(pa.duration("us")),
    }
    return pa.table(columns, schema=pa.schema(FINDING_FIELDS))


def _cuts(asked: Spine, source: FactSource, at: pa.Array) -> pa.Table:
    """Return the knowledge cut, less the delay, and the system cut of these rows (int64 microseconds)."""

    def of_rows(cut: pa.Array | int) -> Any:
        return pa.repeat(pa.scalar(cut, pa.int64()), len(at)) if isinstance(cut, int) else cut.take(at)

    delay = span_us(source.delay, field="delay")
    known = of_rows(asked.known)
    # Not below the earliest instant, as in the join.
    known = pc.add(pc.max_element_wise(known, pa.scalar(EARLIEST + delay, pa.int64())), pa.scalar(-delay, pa.int64()))
    return pa.table({"known": known, "system": of_rows(asked.system)})


def _first_known(
    rows: pa.Table, value: pa.Array, cuts: pa.Table, source: FactSource, column: str
) -> tuple[pa.Array, pa.Array]:
    """Return when each value of each row's entity was first known (int64, null for never), and the verdict."""
    facts = source.table.filter(pc.equal(text_array(source.table[OP]), Operation.UPSERT.value))
    key, who = numbered(facts, source.keys, rows, source.spine_names)
    both = pa.concat_arrays([canonical(value), canonical(facts[column])])
    words = both.dictionary_encode(null_encoding="encode").indices
    clocks = {name: instants_us(facts[name], field=name) for name in (KNOWLEDGE_TIME, INGESTED_AT)}
    stated = pa.table({"key": key, "word": words.slice(len(value)), **clocks})
    asked = pa.table({"key": who, "word": words.slice(0, len(value)), "place": pa.arange(0, len(value))})
    pairs = asked.append_column("known", cuts["known"]).append_column("system", cuts["system"])
    pairs = pairs.join(stated, keys=["key", "word"], join_type="inner")
    by_then = pc.and_(
        pc.less_equal(pairs[KNOWLEDGE_TIME], pairs["known"]), pc.less_equal(pairs[INGESTED_AT], pairs["system"])
    )
    told = pairs.append_column("by_then", by_then).group_by("place")
    told = told.aggregate([(KNOWLEDGE_TIME, "min"), ("by_then", "max")])
    place = pc.index_in(pa.arange(0, len(value)), value_set=flat(told["place"]))
    known = flat(told[f"{KNOWLEDGE_TIME}_min"]).take(place)
    verdict = pc.if_else(flat(told["by_then_max"]).take(place), STALE, AHEAD)
    nowhere = pc.if_else(pc.is_null(value), MISSING, UNSTATED)
    return known, pc.coalesce(verdict, nowhere)


def _as_type(array: pa.Array, wanted: pa.DataType, name: str) -> pa.Array:
    try:
        return array if array.type == wanted else array.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = f"is {array.type} and its values do not fit {wanted}"
        raise SpineTableError(column=name, problem=problem, remedy="give it the type of its source") from error
