"""Environments: validated, frozen, known by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from infra.app import main
from infra.environments import (
    ENVIRONMENTS,
    DrainSize,
    Environment,
    EnvironmentNotChosenError,
    FunctionSize,
    Removal,
    StreamSize,
    UnknownEnvironmentError,
    get,
)
from vintner.aws.gaps import GapSettings
from vintner.messaging.streams import LANES, ORDERS, STREAMS, Role

LONG = DrainSize(
    function=FunctionSize(memory_mb=512, timeout_seconds=60),
    batch_size=100,
    batching_window_seconds=0,
    retry_attempts=10,
    record_age_seconds=604_800,
    late_seconds=60,
)
"""A drain that goes on for longer than most streams remember."""


def _fields(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: getattr(get("dev"), key) for key in Environment.model_fields} | changes


def test_every_environment_is_known_by_its_name():
    assert list(ENVIRONMENTS) == ["laptop", "dev", "staging", "prod"]
    assert all(get(name).name == name for name in ENVIRONMENTS)


def test_an_unknown_environment_is_answered_with_the_known_ones():
    with pytest.raises(UnknownEnvironmentError) as caught:
        get("production")
    assert caught.value.data == {"name": "production", "known": "laptop, dev, staging, prod"}


def test_no_choice_is_not_a_choice_of_everything():
    with pytest.raises(EnvironmentNotChosenError):
        get(None)


def test_the_app_says_in_one_sentence_how_to_choose(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VINTNER_ENVIRONMENT", raising=False)
    with pytest.raises(SystemExit, match="pass `-c environment=NAME` or set VINTNER_ENVIRONMENT"):
        main()


def test_the_registry_cannot_be_changed():
    registry: Mapping[str, Any] = ENVIRONMENTS
    with pytest.raises(TypeError):
        registry["mine"] = get("dev")  # type: ignore[index]


def test_an_environment_is_accepted_as_it_is_declared():
    assert Environment.model_validate(_fields({})) == get("dev")


@pytest.mark.parametrize(
    "changes",
    [
        {"shard_count": 4},
        {"region": "Ireland"},
        {"account": "1234"},
        {"protected": "yes"},
        {"removal": "retain"},
        {"alarm_addresses": ("nobody",)},
        {"left_out": {"AWS::Athena::NamedQuery": "no"}},
        {"left_out": {"athena": "it is not known to the ground's CloudFormation"}},
        {"name": "My-Env"},
    ],
)
def test_an_environment_refuses_what_it_does_not_know_or_what_is_wrong(changes: dict[str, Any]):
    with pytest.raises(ValidationError):
        Environment.model_validate(_fields(changes))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("market_data", {"shard": 2}),
        ("market_data", {"stream": StreamSize(shards=1, retention_hours=24), "processor": LONG}),
        ("ingress", {"http": FunctionSize(memory_mb=512, timeout_seconds=30)}),
        ("dead_letters", {"schedule": "every minute"}),
        ("dead_letters", {"operations": FunctionSize(memory_mb=512, timeout_seconds=30)}),
        ("gaps", {"rest": "http://trades.example"}),
        ("keep", {"logs": 13}),
        ("features_api", {"requests_per_second": 0}),
        ("maintenance", {"schedule": "daily"}),
        ("maintenance", {"safe_age_hours": 0}),
        ("maintenance", {"reserve_seconds": 900}),
    ],
)
def test_a_part_of_an_environment_refuses_too(part: str, changes: dict[str, Any]):
    model = getattr(get("dev"), part)
    with pytest.raises(ValidationError):
        type(model).model_validate({key: getattr(model, key) for key in type(model).model_fields} | changes)


@pytest.mark.parametrize(
    "size", [{"shards": 0}, {"shards": "2"}, {"shards": LANES + 1}, {"retention_hours": 23}, {"shard": 2}]
)
def test_the_size_of_a_stream_refuses_too(size: dict[str, Any]):
    with pytest.raises(ValidationError):
        StreamSize.model_validate({"shards": 1, "retention_hours": 24} | size)


def test_every_declared_stream_is_sized_and_nothing_else():
    dev = get("dev")
    strange = {**dev.streams, "market_data.l2": StreamSize(shards=1, retention_hours=24)}
    lacking = {name: size for name, size in dev.streams.items() if name != "fills"}
    with pytest.raises(ValidationError, match=r"streams sizes market_data\.l2, which nothing declares; declared are"):
        Environment.model_validate(_fields({"streams": strange}))
    with pytest.raises(ValidationError, match="streams does not size fills: state it"):
        Environment.model_validate(_fields({"streams": lacking}))


def test_every_role_of_a_consumer_is_sized():
    consumers = {role: size for role, size in get("dev").consumers.items() if role is not Role.LEDGER}
    with pytest.raises(ValidationError, match="consumers does not size ledger: state it"):
        Environment.model_validate(_fields({"consumers": consumers}))


def test_retries_that_outlive_their_stream_are_refused():
    consumers = {**get("dev").consumers, Role.PROCESSOR: LONG}
    with pytest.raises(ValidationError, match=r"trades_processor of market_data\.trades tries a record for 604800 s"):
        Environment.model_validate(_fields({"consumers": consumers}))


def test_the_repair_of_gaps_is_told_of_a_second_source_where_there_is_one():
    gaps = get("dev").gaps
    assert gaps.variables() == {}
    asking = gaps.model_copy(update={"rest": "https://trades.example"})
    assert GapSettings.variable("gaps_rest") in asking.variables()


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_the_longer_retention_counts(name: str):
    environment = get(name)
    for stream in STREAMS.values():
        stated = environment.streams[stream.name].retention_hours
        assert environment.retention_hours(stream) == max(stated, stream.retention_hours)
    assert get("laptop").retention_hours(ORDERS) == ORDERS.retention_hours == 168


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_critical_records_are_tried_for_longer_and_missed_sooner(name: str):
    ledger, *others = (get(name).consumers[role] for role in (Role.LEDGER, Role.PROCESSOR, Role.LANDER))
    for other in others:
        assert ledger.retry_attempts > other.retry_attempts
        assert ledger.record_age_seconds > other.record_age_seconds
        assert ledger.late_seconds < other.late_seconds


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_processors_wait_for_nothing_and_landers_gather(name: str):
    processor, lander = get(name).consumers[Role.PROCESSOR], get(name).consumers[Role.LANDER]
    assert processor.batching_window_seconds == 0
    assert processor.batch_size < lander.batch_size
    assert 0 < lander.batching_window_seconds <= 60


def test_an_environment_is_frozen_to_its_last_part():
    dev = get("dev")
    with pytest.raises(ValidationError):
        dev.region = "eu-west-2"
    with pytest.raises(ValidationError):
        dev.market_data.stream.shards = 9
    with pytest.raises(TypeError):
        dev.streams["fills"] = dev.streams["orders"]  # type: ignore[index]
    with pytest.raises(TypeError):
        get("laptop").left_out["AWS::S3::Bucket"] = "not wanted here at all"  # type: ignore[index]


def test_production_keeps_its_data():
    prod = get("prod")
    assert prod.removal is Removal.RETAIN
    assert prod.protected
    assert prod.point_in_time_recovery
    assert prod.bundle_dependencies


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_retries_end_before_the_stream_forgets_the_record(name: str):
    for facts in (get(name).market_data, get(name).macro_data):
        assert facts.processor.record_age_seconds < facts.stream.retention_hours * 3600
    for stream in STREAMS.values():
        for consumer in stream.consumers:
            drain = get(name).consumers[consumer.role]
            assert drain.record_age_seconds < get(name).retention_hours(stream) * 3600


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_the_api_answers_before_its_gateway_gives_up(name: str):
    assert get(name).features_api.function.timeout_seconds <= 29
    assert get(name).ingress.http.timeout_seconds <= 29
    assert get(name).dead_letters.operations.timeout_seconds <= 29
