"""A million trades through everything that goes wrong; what is kept is what was sent."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import pytest
from rich.console import Console

from tests.chaos import verdict
from tests.chaos.__main__ import SUBJECTS, outcome, show
from tests.chaos.fabric import Killed, MemoryStream, Weather
from tests.chaos.page import page_of
from tests.chaos.run import Chaos, run
from tests.chaos.story import Size

MILLION = Size(seconds=300, crypto=100, exchange=20, per_second=3_360)
SMALL = Size(seconds=90, crypto=9, exchange=5, per_second=60)


@pytest.fixture(scope="module", params=["a million", "rough", "small 1"])
def chaos(request: pytest.FixtureRequest) -> Chaos:
    """A run that has come to rest; the rough one fails ten times as often."""
    if request.param == "a million":
        return run(MILLION, seed=2026)
    if request.param == "rough":
        return run(SMALL, seed=99, roughness=10)
    return run(SMALL, seed=int(request.param.split()[1]))


@pytest.fixture(scope="module")
def found(chaos: Chaos) -> dict[str, Any]:
    """What came of it."""
    return outcome(chaos)


@pytest.mark.parametrize("subject", ["trades", "bars", "features", "derived", "gaps"])
def test_nothing_is_lost_doubled_or_different(found: dict[str, Any], subject: str) -> None:
    told = found["compared"][subject]
    assert told["expected"] > 0
    assert (told["lost"], told["doubled"], told["different"]) == (0, 0, 0)


def test_every_refused_record_is_kept_and_accounted_for_by_its_rule(found: dict[str, Any]) -> None:
    told = found["refused"]
    assert {rule: one["kept"] for rule, one in told.items()} == {rule: one["injected"] for rule, one in told.items()}
    assert sum(one["kept"] for one in told.values()) > 0


def test_no_delivery_became_a_dead_letter(chaos: Chaos) -> None:
    """What fails here is what passes by itself: it is tried again until it succeeds."""
    assert [name for name, mapping in chaos.system.mappings.items() if mapping.dead_letters] == []


def test_every_fault_there_is_was_met(chaos: Chaos) -> None:
    """By a run that is long enough to meet them all; the shorter ones meet some."""
    met = set(+(chaos.weather.injected + chaos.story.injected + chaos.story.refused))
    ended = sum(mapping.failures["Killed"] + mapping.failures["Crash"] for mapping in chaos.system.mappings.values())
    if chaos.story.size == MILLION:
        assert verdict.FAULTS <= met, verdict.FAULTS - met  # noqa: SIM300 - what is left is what was not met
        assert len(chaos.story.good) >= 1_000_000
        assert ended > 20
    else:
        assert len(met & verdict.FAULTS) > 10
        assert ended > 0


def test_the_page_tells_every_fault_and_what_came_of_it(found: dict[str, Any]) -> None:
    page = page_of(found | {"asked": 1, "subjects": SUBJECTS})
    assert found["holds"]
    assert all(f"| {fault} | {count:,} | " in page for fault, count in found["injected"].items())
    assert all(
        f"| {rule} | {told['injected']:,} | {told['kept']:,} |" in page for rule, told in found["refused"].items()
    )
    console = Console(record=True, width=120, file=io.StringIO())
    show(found, console)
    assert SUBJECTS["bars"] in console.export_text()


def test_the_fabric_splits_and_merges_as_the_service_does() -> None:
    stream = MemoryStream("s", 2)
    stream.split("shard-0")
    children = [shard for shard in stream.shards.values() if shard.parents == ("shard-0",)]
    assert children[0].high == children[1].low
    stream.merge(children[0].name, children[1].name)
    merged = list(stream.shards.values())[-1]
    assert (merged.low, merged.high) == (0, 2**127)
    assert [shard.closed for shard in stream.shards.values()] == [True, False, True, True, False]


def test_weather_strikes_as_often_as_it_says() -> None:
    weather = Weather(Random(1), killed=0.2, throttled=0, answer_lost=0)  # noqa: S311 - weather is no secret
    ended = 0
    for _ in range(1000):
        try:
            weather.write("a step", lambda: None)
        except Killed:
            ended += 1
    assert 150 < ended < 240
