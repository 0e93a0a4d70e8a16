"""The engine of trades against its plain twin, against itself cut otherwise, and against bars made from scratch."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import kernel as build
from tests.support.engine_twin import TwinEngine
from tests.support.recomputed_bars import Bar, bars_from_trades, features_from_history, final_bars, logarithm, merged
from tests.support.trade_stories import MINUTE, SESSIONS, START, Story, Told, as_batch, ended, plain, split, stories
from vintner.marketdata.engine import EngineConfig, TradeEngine, merge_bars
from vintner.marketdata.kernel import native
from vintner.messaging.records import Bar as BarRecord
from vintner.messaging.records import schema_of

REMEMBERS_ALL = EngineConfig(ids=1000, holes=1000)


def told_by(config: EngineConfig, pieces: list[list[dict[str, object]]]) -> Told:
    engine, told = TradeEngine(config, SESSIONS), Told()
    for piece in pieces:
        told.add(engine.apply(as_batch(piece)))
    return told


@settings(max_examples=150, deadline=None)
@given(story=stories())
def test_the_engine_is_its_twin(story: Story) -> None:
    rows = ended(story.rows)
    told = told_by(story.config, split(rows, story.dice))
    expected = TwinEngine(story.config, SESSIONS).apply(rows)
    assert told.verdicts == expected.verdicts
    assert told.gaps == expected.gaps
    assert told.bars == [{name: bar[name] for name in ("lane", *schema_of(BarRecord).names)} for bar in expected.bars]
    assert [row | {"value": repr(row["value"])} for row in told.features] == [
        row | {"value": repr(row["value"])} for row in expected.features
    ]


@settings(max_examples=60, deadline=None)
@given(story=stories())
def test_how_rows_are_cut_into_batches_changes_nothing(story: Story) -> None:
    rows = ended(story.rows)
    whole = told_by(story.config, [rows])
    assert told_by(story.config, split(rows, story.dice)) == whole
    assert told_by(story.config, [[row] for row in rows]) == whole


@settings(max_examples=60, deadline=None)
@given(story=stories())
def test_lanes_move_between_engines_and_nothing_shows(story: Story) -> None:
    """At any point a lane's state is written out, forgotten, and taken over by another engine, or by the same."""
    rows = ended(story.rows)
    whole, told = told_by(story.config, [rows]), Told()
    engines = [TradeEngine(story.config, SESSIONS) for _ in range(2)]
    owner = dict.fromkeys((3, 7), 0)
    for piece in split(rows, story.dice):
        for number, engine in enumerate(engines):
            told.add(engine.apply(as_batch([row for row in piece if owner[row["lane"]] == number])))
        for lane in owner:
            blobs = engines[owner[lane]].dump([lane])
            engines[owner[lane]].forget([lane])
            assert lane not in engines[owner[lane]].lanes
            owner[lane] = story.dice.randrange(2)
            engines[owner[lane]].load(blobs)
            assert engines[owner[lane]].dump([lane]) == blobs
    for lane in owner:
        assert told.of_lane(lane) == whole.of_lane(lane)
    assert sorted(told.verdicts) == sorted(whole.verdicts)


def without_times(bars: dict[tuple[str, str, int], Bar]) -> dict[tuple[str, str, int], Bar]:
    told = ("lane", "knowledge_time", "partial")
    return {key: {name: value for name, value in bar.items() if name not in told} for key, bar in bars.items()}


@settings(max_examples=100, deadline=None)
@given(story=stories(config=REMEMBERS_ALL))
def test_final_bars_are_those_of_the_distinct_trades(story: Story) -> None:
    rows = ended(story.rows)
    told = told_by(story.config, split(rows, story.dice))
    assert without_times(final_bars(told.bars)) == bars_from_trades(rows, SESSIONS)
    keys = [(bar["instrument"], bar["interval"], bar["event_time"], bar["knowledge_time"]) for bar in told.bars]
    assert len(keys) == len(set(keys)), "at most one revision of a bar at an instant"


@settings(max_examples=60, deadline=None)
@given(story=stories(config=REMEMBERS_ALL))
def test_final_features_are_those_of_the_final_minutes(story: Story) -> None:
    told = told_by(story.config, split(ended(story.rows), story.dice))
    newest = {(row["instrument"], row["feature"], row["event_time"]): repr(row["value"]) for row in told.features}
    assert newest == {key: repr(value) for key, value in features_from_history(told.bars).items()}


@settings(max_examples=60, deadline=None)
@given(story=stories(config=REMEMBERS_ALL))
def test_merged_partials_are_their_twin(story: Story) -> None:
    """What the engine told, put through the merge: versions in front, then all partials in one table."""
    engine = TradeEngine(story.config, SESSIONS)
    output = engine.apply(as_batch(ended(story.rows)))
    bars, table = plain(output.bars, output.lanes.bars), pa.table(output.bars)
    newest = {
        (bar["instrument"], bar["interval"], bar["event_time"]): at for at, bar in enumerate(bars) if not bar["partial"]
    }
    partials = table.filter(table["partial"])
    answer = merge_bars(table.take(pa.array(newest.values(), pa.int64())), partials)
    expected, known = [], {key: bars[at] for key, at in newest.items()}
    for bar in sorted((bar for bar in bars if bar["partial"]), key=lambda bar: bar["knowledge_time"]):
        key = bar["instrument"], bar["interval"], bar["event_time"]
        known[key] = merged(known[key], bar) if key in known else bar | {"partial": False}
        expected.append(known[key] | {"lane": 0})
    whole = answer.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=answer.schema)]
    found = plain(whole[0], pa.array([0] * answer.num_rows, pa.int32()))

    def place(bar: Bar) -> tuple[object, ...]:
        return bar["knowledge_time"], bar["instrument"], bar["interval"], bar["event_time"]

    assert sorted(found, key=place) == sorted(expected, key=place)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.sampled_from((10**8 + 50, 10**9, 10**18)))
def test_the_logarithm_is_rounded_correctly(seed: int, most: int) -> None:
    """Seen through a feature: the closes of minutes, close together or very far apart."""
    dice = random.Random(seed)  # noqa: S311 - seeded closes, not a secret
    closes = [dice.randrange(10**8 if most < 10**18 else 1, most) for _ in range(500)]
    trade = {"lane": 0, "instrument": "A", "venue": "v", "dense": True, "calendar": -1, "size": 1, "side": 0}
    trade |= {"bar_rules": 7, "is_close": False}
    rows = [
        {**trade, "trade_id": number, "event_time": at, "knowledge_time": at, "price": price}
        for number, price in enumerate(closes)
        for at in (START + number * MINUTE,)
    ]
    told = told_by(EngineConfig(), [ended(rows)])
    ratios = [(close / 1e8) / (before / 1e8) for before, close in pairwise(closes)]
    values = [row["value"] for row in told.features if row["feature"] == "log_return_1m"]
    assert values == [None, *map(logarithm, ratios)]
    assert values[1:] == pytest.approx([math.log(ratio) for ratio in ratios], rel=1e-15, abs=0)


def use_kernels_of(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(native, "__file__", str(folder / "native.py"))
    native.library.cache_clear()


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    native.library.cache_clear()


def test_no_behaviour_is_undefined(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """The same stories on a build that stops at undefined behaviour: overflow, misalignment, shifts, bounds."""
    build.build(sources=Path(native.__file__).parent, folder=tmp_path, checked=True)
    use_kernels_of(tmp_path, patch)
    assert native.library()._name.startswith(str(tmp_path))
    test_the_engine_is_its_twin()
    test_lanes_move_between_engines_and_nothing_shows()
