"""The skew meter equals a plain one over lists, however the stream is cut, also across a restart."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vintner.bitemporal import INSTANT
from vintner.marketdata.normalise import Skew, SkewMeter, SkewStateError

WINDOW = timedelta(microseconds=50)
MOST = 5

records = st.lists(
    st.fixed_dictionaries(
        {
            "venue": st.sampled_from(["a", "b", None]),
            "producer": st.sampled_from(["p/1", "p/2", None]),
            "event_time": st.one_of(st.none(), st.integers(0, 100)),
            "received_at": st.one_of(st.none(), st.integers(0, 100)),
        }
    ),
    max_size=40,
)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    texts = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("venue", "producer")}
    clocks = {name: pa.array([row[name] for row in rows], INSTANT) for name in ("event_time", "received_at")}
    return pa.table({**texts, **clocks})


def plain(rows: list[dict[str, Any]]) -> list[Skew]:
    sources: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in rows:
        if None not in row.values():
            delay = row["received_at"] - row["event_time"]
            sources.setdefault((row["venue"], row["producer"]), []).append((row["received_at"], delay))
    found = []
    for (venue, producer), told in sorted(sources.items()):
        newest = told[-MOST:]
        latest = max(received for received, _ in newest)
        delays = sorted(delay for received, delay in newest if latest - received < 50)
        least, median = delays[0], delays[(len(delays) - 1) // 2]
        one, other = timedelta(microseconds=least), timedelta(microseconds=median)
        found.append(Skew(venue=venue, producer=producer, records=len(delays), least=one, median=other))
    return found


@settings(max_examples=100, deadline=None)
@given(records, st.lists(st.integers(0, 40), max_size=4), st.booleans())
def test_a_measurement_does_not_depend_on_how_the_stream_is_cut(rows, cuts, restarts) -> None:
    meter = SkewMeter(WINDOW, MOST)
    edges = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(edges):
        meter.observe(table_of(rows[start:end]))
        if restarts:
            state = meter.dump()
            meter = SkewMeter(WINDOW, MOST)
            meter.load(state)
            assert meter.dump() == state
    assert meter.measure() == plain(rows)


def test_a_batch_is_taken_as_a_table_is() -> None:
    rows = [{"venue": "a", "producer": "p", "event_time": 9, "received_at": 4}]
    meter = SkewMeter()
    meter.observe(table_of(rows).to_batches()[0])
    (one,) = meter.measure()
    assert (one.least, one.behind) == (timedelta(microseconds=-5), timedelta(microseconds=5))


def test_a_delay_shows_no_skew() -> None:
    rows = [{"venue": "a", "producer": "p", "event_time": 4, "received_at": 9}]
    meter = SkewMeter()
    meter.observe(table_of(rows))
    assert [one.behind for one in meter.measure()] == [timedelta(0)]


@pytest.mark.parametrize("state", [b"", b"no state", pa.BufferOutputStream().getvalue().to_pybytes()])
def test_bytes_that_are_no_state_are_refused(state: bytes) -> None:
    with pytest.raises(SkewStateError):
        SkewMeter().load(state)


def test_a_state_of_another_version_is_refused() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("venue", pa.string())])):
        pass
    with pytest.raises(SkewStateError) as refused:
        SkewMeter().load(sink.getvalue().to_pybytes())
    assert refused.value.problem == "is of another version"
