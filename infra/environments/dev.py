"""Development: small, forgetful, an account of its own."""

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

DEV: Final = Environment(
    name="dev",
    account=None,
    region="eu-west-1",
    owner="research",
    cost_centre="engineering",
    removal=Removal.DESTROY,
    protected=False,
    point_in_time_recovery=True,
    architecture=Architecture.ARM64,
    bundle_dependencies=True,
    log_level=LogLevel.INFO,
    alarm_addresses=(),
    market_data=StreamSize(
        shards=1,
        retention_hours=24,
        batch_size=500,
        batching_window_seconds=30,
        retry_attempts=10,
        record_age_seconds=14_400,
        iterator_age_alarm_seconds=600,
        processor=FunctionSize(memory_mb=1769, timeout_seconds=300),
    ),
    macro_data=StreamSize(
        shards=1,
        retention_hours=24,
        batch_size=500,
        batching_window_seconds=60,
        retry_attempts=10,
        record_age_seconds=14_400,
        iterator_age_alarm_seconds=1800,
        processor=FunctionSize(memory_mb=1769, timeout_seconds=300),
    ),
    features_api=ApiSize(function=FunctionSize(memory_mb=1769, timeout_seconds=29), requests_per_second=50, burst=100),
    maintenance=MaintenanceSize(
        function=FunctionSize(memory_mb=3538, timeout_seconds=900),
        schedule="cron(30 2 * * ? *)",
        window_minutes=60,
        few=5,
        keep_for_days=3,
        keep_last=10,
        safe_age_hours=24,
        reserve_seconds=240,
    ),
    keep=Keep(logs=14, access_logs=30, query_results=7, dead_letters=30, replaced_objects=7),
    athena_scan_limit_mb=50_000,
)
