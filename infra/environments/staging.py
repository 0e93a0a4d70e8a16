"""Staging: production's shape at a smaller size, with data that may be lost."""

from __future__ import annotations

from typing import Final

from infra.environments.model import (
    ApiSize,
    Architecture,
    Environment,
    FunctionSize,
    Keep,
    LogLevel,
    MaintenanceSize,
    Removal,
    StreamSize,
)

STAGING: Final = Environment(
    name="staging",
    account=None,
    region="eu-west-1",
    owner="platform",
    cost_centre="engineering",
    removal=Removal.DESTROY,
    protected=False,
    point_in_time_recovery=True,
    architecture=Architecture.ARM64,
    bundle_dependencies=True,
    log_level=LogLevel.INFO,
    alarm_addresses=(),
    market_data=StreamSize(
        shards=2,
        retention_hours=72,
        batch_size=500,
        batching_window_seconds=30,
        retry_attempts=50,
        record_age_seconds=43_200,
        iterator_age_alarm_seconds=600,
        processor=FunctionSize(memory_mb=1769, timeout_seconds=300),
    ),
    macro_data=StreamSize(
        shards=1,
        retention_hours=72,
        batch_size=500,
        batching_window_seconds=60,
        retry_attempts=50,
        record_age_seconds=43_200,
        iterator_age_alarm_seconds=1800,
        processor=FunctionSize(memory_mb=1769, timeout_seconds=300),
    ),
    features_api=ApiSize(function=FunctionSize(memory_mb=1769, timeout_seconds=29), requests_per_second=200, burst=400),
    maintenance=MaintenanceSize(
        function=FunctionSize(memory_mb=3538, timeout_seconds=900),
        schedule="cron(30 2 * * ? *)",
        window_minutes=60,
        few=5,
        keep_for_days=7,
        keep_last=10,
        safe_age_hours=72,
        reserve_seconds=240,
    ),
    keep=Keep(logs=30, access_logs=90, query_results=14, dead_letters=90, replaced_objects=14),
    athena_scan_limit_mb=200_000,
)
