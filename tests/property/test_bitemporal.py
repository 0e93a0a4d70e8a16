"""The reads, the join and the audit against the oracle, on interleavings that real feeds make rarely."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.property import oracle
from tests.property.oracle import Row, Source
from tests.property.strategies import (
    ENTITIES,
    SCHEMA,
    bits,
    fact_rows,
    fact_source,
    fact_table,
    instant,
    instants,
    labels,
    plain,
    source_lists,
    spans,
    spine_rows,
    spine_table,
    usual_instants,
    values,
)
from vintner.bitemporal import (
    VersionConflictError,
    as_of,
    as_of_join,
    audit_leaks,
    exact,
    history,
    next_event,
    vintage,
)

quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
wide = settings(quick, max_examples=25)
searching = settings(max_examples=2000, database=None, phases=[Phase.generate])
systems = st.none() | usual_instants


def optional(microseconds: int | None) -> Any:
    return None if microseconds is None else instant(microseconds)


@quick
@given(rows=fact_rows(), at=instants, known=instants, system=systems, ttl=st.none() | spans)
def test_as_of_is_the_oracles(rows: list[Row], at: int, known: int, system: int | None, ttl: int | None) -> None:
    age = None if ttl is None else timedelta(microseconds=ttl)
    found = as_of(fact_table(rows), at=instant(at), known_at=instant(known), system_at=optional(system), ttl=age)
    assert found.schema == SCHEMA
    assert bits(plain(found)) == bits(oracle.as_of(rows, at, known, system, ttl))


@quick
@given(rows=fact_rows(), at=instants, delay=spans)
def test_as_of_one_instant_with_a_delay_is_the_oracles(rows: list[Row], at: int, delay: int) -> None:
    found = as_of(fact_table(rows), at=instant(at), delay=timedelta(microseconds=delay))
    assert bits(plain(found)) == bits(oracle.as_of(rows, at, at - delay))


@quick
@given(rows=fact_rows(), event=instants, known=instants, system=systems)
def test_reads_of_a_vintage_are_the_oracles(rows: list[Row], event: int, known: int, system: int | None) -> None:
    facts, cuts = fact_table(rows), {"known_at": instant(known), "system_at": optional(system)}
    assert bits(plain(vintage(facts, **cuts))) == bits(oracle.vintage(rows, known, system))
    one = exact(facts, event_time=instant(event), **cuts)
    assert bits(plain(one)) == bits(oracle.exact(rows, event, known, system))
    following = next_event(facts, after=instant(event), **cuts)
    assert bits(plain(following)) == bits(oracle.next_event(rows, event, known, system))


@quick
@given(rows=fact_rows(), entity=st.sampled_from((*ENTITIES, "unknown")), data=st.data(), system=systems)
def test_history_is_the_oracles(rows: list[Row], entity: str, data: st.DataObject, system: int | None) -> None:
    events = [row["event_time"] for row in rows if row["entity"] == entity]
    event, known = data.draw(st.sampled_from(events) if events else instants), data.draw(instants)
    cuts = {"known_at": instant(known), "system_at": optional(system)}
    found = history(fact_table(rows), entity=entity, event_time=instant(event), **cuts)
    assert bits(plain(found)) == bits(oracle.history(rows, entity, event, known, system))


@quick
@given(spine=spine_rows(), sources=source_lists(), known=st.none() | instants, system=systems)
def test_join_is_the_oracles(spine: list[Row], sources: list[Source], known: int | None, system: int | None) -> None:
    found = as_of_join(
        spine_table(spine),
        [fact_source(source) for source in sources],
        known_at=optional(known),
        system_at=optional(system),
    )
    assert bits(plain(found)) == bits(oracle.as_of_join(spine, sources, known, system))


@quick
@given(sources=source_lists(most=1), known=st.none() | usual_instants, data=st.data())
def test_join_is_the_oracles_at_every_instant(sources: list[Source], known: int | None, data: st.DataObject) -> None:
    # Large enough for the engine to sort and merge, where a short spine is compared row by row.
    grid = [{"time": time, "entity": key, "other": key, "label": 0} for time, key in product(range(-1, 25), ENTITIES)]
    spine = data.draw(st.permutations(grid))
    found = as_of_join(spine_table(spine), [fact_source(source) for source in sources], known_at=optional(known))
    assert bits(plain(found)) == bits(oracle.as_of_join(spine, sources, known))


@pytest.mark.parametrize("known", [None, 2_500])
@pytest.mark.parametrize("delay", [0, 40])
def test_join_is_the_oracles_on_many_facts(known: int | None, delay: int) -> None:
    source = Source(rows=many_facts(4_000), columns={"eps": "value"}, ttl=300, delay=delay)
    chance = Random(11)  # noqa: S311 - made-up data
    entities = [*ENTITIES, None]
    spine = [
        {"time": chance.randrange(5_000), "entity": chance.choice(entities), "other": None, "label": 0}
        for _ in range(200)
    ]
    found = as_of_join(spine_table(spine), [fact_source(source)], known_at=optional(known))
    assert bits(plain(found)) == bits(oracle.as_of_join(spine, [source], known))


def many_facts(count: int) -> list[Row]:
    """Facts published around their event, a third of them restated, withdrawn or reinstated later."""
    chance, rows = Random(7), list[Row]()  # noqa: S311 - made-up data
    while len(rows) < count:
        event = chance.randrange(5_000)
        known = event + chance.randrange(-50, 50)
        entity = chance.choice(ENTITIES)
        for seq in range(chance.choice((1, 1, 1, 1, 2, 4))):
            row = {"entity": entity, "event_time": event, "knowledge_time": known, "revision_seq": len(rows)}
            told = {"op": chance.choice(("upsert", "delete")) if seq else "upsert", "ingested_at": known}
            rows.append(row | told | {"value": chance.random(), "label": None, "record_id": "r0"})
            known += chance.randrange(100)
    return rows


@wide
@given(sources=source_lists(most=1), spine=spine_rows(), at=instants, data=st.data())
def test_the_order_of_the_input_never_matters(
    sources: list[Source], spine: list[Row], at: int, data: st.DataObject
) -> None:
    source = fact_source(sources[0])
    shuffled = fact_source(
        Source(
            rows=data.draw(st.permutations(sources[0].rows)),
            columns=sources[0].columns,
            spine_keys=sources[0].spine_keys,
            ttl=sources[0].ttl,
            delay=sources[0].delay,
        )
    )
    for one, other in zip(every_read(source.facts, at), every_read(shuffled.facts, at), strict=True):
        assert bits(plain(one)) == bits(plain(other))
    joined, again = (as_of_join(spine_table(spine), [facts]) for facts in (source, shuffled))
    assert bits(plain(joined)) == bits(plain(again))


def every_read(facts: pa.Table, at: int) -> list[pa.Table]:
    cut = instant(at)
    return [
        as_of(facts, at=cut),
        as_of(facts, at=cut, ttl=timedelta(microseconds=2), delay=timedelta(microseconds=1)),
        vintage(facts, known_at=cut),
        exact(facts, event_time=cut, known_at=cut),
        next_event(facts, after=cut, known_at=cut),
        *(history(facts, entity=entity, event_time=cut, known_at=cut) for entity in ENTITIES),
    ]


@st.composite
def futures(draw: st.DrawFn) -> tuple[list[Row], list[Row], int]:
    """Facts, the same facts with another future after an instant, and the instant."""
    rows, other, at = draw(fact_rows()), draw(fact_rows()), draw(usual_instants)
    past = [row for row in rows if row["knowledge_time"] <= at]
    later = [row for row in rows if row["knowledge_time"] > at]
    kind = draw(st.sampled_from(("delete", "replace", "contradict")))
    if kind == "delete":
        return rows, past, at
    if kind == "replace":
        return rows, past + [row for row in other if row["knowledge_time"] > at], at
    changed = [
        row | {"value": draw(values), "label": draw(labels), "op": draw(st.sampled_from(("upsert", "delete")))}
        for row in later
    ]
    return rows, past + changed, at


@wide
@given(both=futures(), spine=spine_rows())
def test_what_is_learned_later_changes_no_bit(both: tuple[list[Row], list[Row], int], spine: list[Row]) -> None:
    rows, otherwise, at = both
    for one, other in zip(every_read(fact_table(rows), at), every_read(fact_table(otherwise), at), strict=True):
        assert bits(plain(one)) == bits(plain(other))
    until = spine_table([row for row in spine if row["time"] <= at])
    columns = {"value_0": "value", "label_0": "label"}
    one, other = (as_of_join(until, [fact_source(Source(rows=facts, columns=columns))]) for facts in (rows, otherwise))
    assert bits(plain(one)) == bits(plain(other))


@quick
@given(rows=fact_rows(), changed=values, data=st.data())
def test_a_contradiction_is_refused_and_named(rows: list[Row], changed: float | None, data: st.DataObject) -> None:
    stated = [row for row in rows if row["op"] == "upsert" and repr(row["value"]) != repr(changed)]
    if not stated:
        return
    row = data.draw(st.sampled_from(stated))
    with pytest.raises(VersionConflictError) as refused:
        vintage(fact_table([*rows, row | {"value": changed}]), known_at=instant(row["knowledge_time"]))
    assert refused.value.entity == row["entity"]
    assert refused.value.event_time == instant(row["event_time"])
    assert refused.value.column == "value"


@quick
@given(sources=source_lists(most=2), spine=spine_rows(), known=st.none() | usual_instants, system=systems)
def test_audit_finds_nothing_in_an_as_of_table(
    sources: list[Source], spine: list[Row], known: int | None, system: int | None
) -> None:
    cuts = {"known_at": optional(known), "system_at": optional(system)}
    tables = [fact_source(source) for source in sources]
    report = audit_leaks(as_of_join(spine_table(spine), tables, **cuts), tables, **cuts)
    assert report.clean
    assert report.cells == len(spine) * 3 * len(sources)


@quick
@given(rows=fact_rows(), spine=spine_rows(), data=st.data())
def test_audit_finds_exactly_the_planted_cells(rows: list[Row], spine: list[Row], data: st.DataObject) -> None:
    source = Source(rows=rows, columns={"eps": "value", "note": "label"}, delay=data.draw(st.integers(0, 1)))
    honest = oracle.as_of_join(spine, [source])
    leaky = [row | data.draw(st.just({}) | planted()) for row in honest]
    facts = fact_source(source)
    table = as_of_join(spine_table(spine), [facts]).drop_columns(["eps", "note"])
    table = table.append_column("eps", pa.array([row["eps"] for row in leaky], pa.float64()))
    table = table.append_column("note", pa.array([row["note"] for row in leaky], pa.string()))
    expected = [
        {
            "entity": row["entity"],
            "time": row["time"],
            "column": name,
            "known_at": oracle.first_known(source, row["entity"], source.columns[name], row[name]),
        }
        for name in ("eps", "note")
        for row, truth in zip(leaky, honest, strict=True)
        if repr(row[name]) != repr(truth[name])
    ]
    report = audit_leaks(table, [facts])
    found = plain(report.findings.select(["entity", "time", "column", "known_at"]))
    assert bits(found) == bits(expected)
    assert report.clean == (not expected)
    assert str(report).startswith(f"{2 * len(spine)} cells compared")


def planted() -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({}, optional={"eps": values, "note": labels})


@quick
@given(rows=fact_rows(), spine=spine_rows())
def test_audit_finds_the_cells_of_a_join_that_looks_ahead(rows: list[Row], spine: list[Row]) -> None:
    source = Source(rows=rows, columns={"eps": "value"})
    facts = fact_source(source)
    hindsight = as_of_join(spine_table(spine), [facts], known_at=instant(2**50))
    honest, ahead = oracle.as_of_join(spine, [source]), oracle.as_of_join(spine, [source], 2**50)
    differ = [one["time"] for one, other in zip(honest, ahead, strict=True) if repr(one["eps"]) != repr(other["eps"])]
    assert plain(audit_leaks(hindsight, [facts]).findings.select(["time"])) == [{"time": time} for time in differ]


SITUATIONS: dict[str, Callable[[list[Row]], bool]] = {
    "a late restatement of an older event": lambda rows: any(
        a["entity"] == b["entity"] == c["entity"]
        and a["event_time"] == c["event_time"] < b["event_time"]
        and a["knowledge_time"] < b["knowledge_time"] < c["knowledge_time"]
        for a, b, c in product(rows, repeat=3)
    ),
    "a tie in knowledge time": lambda rows: any(
        a["entity"] == b["entity"]
        and a["event_time"] == b["event_time"]
        and a["knowledge_time"] == b["knowledge_time"]
        and a["revision_seq"] < b["revision_seq"]
        for a, b in product(rows, repeat=2)
    ),
    "a fact reinstated after its tombstone": lambda rows: any(
        a["op"] == "delete"
        and b["op"] == "upsert"
        and (a["entity"], a["event_time"]) == (b["entity"], b["event_time"])
        and a["knowledge_time"] < b["knowledge_time"]
        for a, b in product(rows, repeat=2)
    ),
    "an event that moves": lambda rows: any(
        a["op"] == "delete"
        and b["op"] == "upsert"
        and (a["entity"], a["knowledge_time"]) == (b["entity"], b["knowledge_time"])
        and a["event_time"] != b["event_time"]
        for a, b in product(rows, repeat=2)
    ),
    "a future-dated fact": lambda rows: any(row["event_time"] > row["knowledge_time"] for row in rows),
    "a version delivered twice": lambda rows: any(row["record_id"] != "r0" for row in rows),
    "a null inside a fact": lambda rows: any(row["op"] == "upsert" and row["value"] is None for row in rows),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_generator_makes(situation: str) -> None:
    assert find(fact_rows(), SITUATIONS[situation], settings=searching)
