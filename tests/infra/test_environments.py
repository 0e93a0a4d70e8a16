"""Environments: validated, frozen, known by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from infra.app import main
from infra.environments import (
    ENVIRONMENTS,
    Environment,
    EnvironmentNotChosenError,
    Removal,
    UnknownEnvironmentError,
    get,
)


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
        ("market_data", {"shards": 0}),
        ("market_data", {"shards": "2"}),
        ("market_data", {"batch_size": 20_000}),
        ("market_data", {"shard": 2}),
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


def test_an_environment_is_frozen_to_its_last_part():
    dev = get("dev")
    with pytest.raises(ValidationError):
        dev.region = "eu-west-2"
    with pytest.raises(ValidationError):
        dev.market_data.shards = 9
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
    for stream in (get(name).market_data, get(name).macro_data):
        assert stream.record_age_seconds < stream.retention_hours * 3600
        assert stream.processor.timeout_seconds <= 900


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_the_api_answers_before_its_gateway_gives_up(name: str):
    assert get(name).features_api.function.timeout_seconds <= 29
