"""All state is lost in the middle of a market and rebuilt from the lake; in the end all is as if it never was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.chaos import verdict
from tests.chaos.fabric import MemoryStream, MemoryStreamShards, Weather
from tests.chaos.run import Chaos, _come_to_rest
from tests.chaos.story import Size, Story, table_of
from tests.chaos.system import ENVIRONMENT, SESSIONS, System, Wire, publisher
from tests.support.memory import DATABASE
from tests.support.stateful import Faults, MemoryClaims, MemorySnapshots
from vintner.aws.processing import DerivedSender, ProcessingSettings, ProcessorParts
from vintner.aws.rebuild_state import StateRebuilding
from vintner.lake.handle import Lake
from vintner.marketdata.mending import newest
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.messaging.stateful import ConsumerRunningError, LanePipeline
from vintner.messaging.streams import FEATURES_RAW, TRADES, Stream

SIZE = Size(seconds=80, crypto=4, exchange=3, per_second=6)
DERIVED = ("bars_lander", "features_lander", "gaps")


class ListedMemoryShards(MemoryStreamShards):
    """A stream's shards, by name."""

    def names(self) -> Sequence[str]:
        return list(self.stream.shards)


class Market:
    """A calm market on the platform's own code, whose processor may lose everything."""

    def __init__(self, seed: int) -> None:
        self.story, self.weather = Story(SIZE, seed), Weather(Random(seed), calm=True)  # noqa: S311 - no secret
        self.system = System(self.story, self.weather)
        wire = Wire(self.system)
        self.chaos = Chaos(self.story, self.system, self.weather, wire)
        self.feeds = [publisher(self.system, wire, name) for name in ("feed-a/1", "feed-b/1")]
        self.told = self.story.seconds()

    def pass_by(self, seconds: int, *, processed: bool = True, landed: bool = True) -> None:
        """Let seconds pass; landers and the processor work, or not."""
        for number in range(seconds):
            second = next(self.told, None)
            if second is None:
                return
            self.system.kinesis.now = max(self.system.kinesis.now, second.at)
            for feed, rows in zip(self.feeds, (second.main, second.second), strict=True):
                feed.publish(table_of(rows))
            self.feeds[0].heartbeat() if number % 4 == 3 else self.feeds[0].flush()
            if processed and number % 3 == 2:
                self.system.poll("trades_processor")
            if landed and number % 10 == 9:
                self.system.poll("trades_lander", *DERIVED)

    def lose(self, *, claims: bool) -> None:
        """Kill the processor with all it held, its snapshots too, and its claims."""
        self.system.mappings["trades_processor"].function.processes.clear()
        self.system.outlives.snapshots.clear()
        if claims:
            self.system.outlives.claims.clear()

    def rebuild(self, **chosen: Any) -> list[dict[str, Any]]:
        system = self.system
        lake = Lake(system.catalog, DATABASE, lambda: system.kinesis.now)
        options: dict[str, Any] = {"wait": lambda _: None, "since": system.kinesis.now - timedelta(days=5)} | chosen
        return StateRebuilding(self.parts(), lake, shards_of=self.shards_of, **options).run()

    def shards_of(self, stream: Stream) -> tuple[ListedMemoryShards, str]:
        memory: MemoryStream = getattr(self.system, stream.name.rpartition(".")[2])
        return ListedMemoryShards(memory, self.weather), memory.name

    def parts(self) -> ProcessorParts:
        system = self.system
        given = ProcessingSettings.model_construct(environment=ENVIRONMENT)
        return ProcessorParts(
            name="trades_processor",
            stream=TRADES,
            stream_name=system.trades.name,
            pipeline=lambda: LanePipeline(
                TRADES, TradesWork(FixedContexts(system.context), SESSIONS), name="trades_processor",
                beat_to=[FEATURES_RAW],
            ),
            claims=MemoryClaims(system.outlives, Faults()),
            snapshots=MemorySnapshots(system.outlives, Faults()),
            shards=ListedMemoryShards(system.trades, self.weather),
            send=DerivedSender(given, "trades_processor", system.kinesis.put, wait=lambda _: None),
        )  # fmt: skip

    @property
    def features(self) -> dict[Any, Any]:
        """The newest features of the lake."""
        rows = newest(verdict._read(self.chaos, "features_raw"), ("instrument", "feature", "event_time"))
        keys = zip(*(rows[name].to_pylist() for name in ("instrument", "feature", "event_time")), strict=True)
        return dict(zip(keys, rows["value"].to_pylist(), strict=True))

    def end(self) -> None:
        """Let everything arrive."""
        self.pass_by(10**6)
        _come_to_rest(self.chaos, self.feeds)


@cache
def never_stopped(seed: int) -> dict[Any, Any]:
    """The newest features of a market that lost nothing."""
    market = Market(seed)
    market.end()
    return market.features


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])  # an example takes seconds
@given(
    seed=st.sampled_from([3, 4]),
    before=st.integers(5, 70),
    away=st.sampled_from([0, 0, 25]),
    landed=st.booleans(),
    claims=st.booleans(),
)
def test_after_a_loss_of_all_state_bars_and_gaps_are_what_a_recomputation_says(
    seed: int, before: int, away: int, landed: bool, claims: bool
) -> None:
    market = Market(seed)
    market.pass_by(before, landed=landed)
    market.lose(claims=claims)
    market.pass_by(away, processed=False)
    for name in (*(["trades_lander"] if claims or landed else []), *DERIVED):
        market.system.mappings[name].drain()
    told = market.rebuild()
    assert {row["shard"] for row in told if "shard" in row} == set(market.system.trades.shards)
    market.end()
    for subject in ("trades", "bars", "gaps"):
        compared = getattr(verdict, subject)(market.chaos)
        assert compared.holds, (subject, compared)
    assert market.features == never_stopped(seed)
    assert "version key with other values" not in verdict.refused(market.chaos)


@pytest.mark.parametrize("moves", [True, False])
def test_nobody_may_be_consuming(moves: bool) -> None:
    market = Market(3)
    market.pass_by(20)

    def wait(_: float) -> None:
        if moves:
            market.pass_by(3)

    if moves:
        with pytest.raises(ConsumerRunningError):
            market.rebuild(wait=wait)
    else:
        assert market.rebuild(wait=wait)
