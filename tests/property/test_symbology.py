"""An answer of the symbology holds in the whole region it is kept for."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from vintner.bitemporal import INSTANT, fact_schema
from vintner.marketdata.symbology import EVERYWHERE, SYMBOLS, Symbology

FACTS: Final = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))
TIMES: Final = range(10)

versions = st.lists(
    st.fixed_dictionaries(
        {
            "event_time": st.sampled_from(TIMES[1:9]),
            "knowledge_time": st.sampled_from(TIMES[1:9]),
            "revision_seq": st.integers(0, 1),
            "op": st.sampled_from(["upsert", "upsert", "delete"]),
            "instrument": st.sampled_from(["one", "two", None]),
        }
    ),
    max_size=6,
    unique_by=lambda fact: (fact["event_time"], fact["knowledge_time"], fact["revision_seq"]),
)


def symbology_of(stated: list[dict[str, Any]]) -> Symbology:
    rows = [{"entity": "XNAS/A", "ingested_at": 0, **fact} for fact in stated]
    return Symbology(pa.table([pa.array([r.get(f.name) for r in rows], f.type) for f in FACTS], schema=FACTS))


@settings(max_examples=100, deadline=None)
@given(versions)
def test_the_answer_is_the_same_in_its_region(stated: list[dict[str, Any]]) -> None:
    symbology = symbology_of(stated)
    grid = [(event, known) for event in TIMES for known in TIMES]
    events, knowns = (pa.array(times, pa.int64()).cast(INSTANT) for times in zip(*grid, strict=True))
    found = symbology.look_up(pa.array(["XNAS/A"] * len(grid)), events, knowns).to_pylist()
    answers = dict(zip(grid, found, strict=True))
    for (event, known), answer in answers.items():
        region = symbology.region("XNAS/A", event, known)
        assert region.from_event <= event < region.to_event
        assert region.from_known <= known < region.to_known
        inside = {
            other
            for (at, learned), other in answers.items()
            if region.from_event <= at < region.to_event and region.from_known <= learned < region.to_known
        }
        assert inside == {answer}


def test_a_symbol_that_nothing_was_stated_about_is_unknown_everywhere() -> None:
    assert not Symbology.empty().knows("XNAS/A")
    assert Symbology.empty().region("XNAS/A", 1, 1) == EVERYWHERE
