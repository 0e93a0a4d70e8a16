"""Production: nothing is deleted by a deployment, and everything can be restored to a point in time."""

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

PROD: Final = Environment(
    name="prod",
    account=None,
    region="eu-west-1",
    owner="platform",
    cost_centre="trading",
    removal=Removal.RETAIN,
    protected=True,
    point_in_time_recovery=True,
    architecture=Architecture.ARM64,
    bundle_dependencies=True,
    log_level=LogLevel.INFO,
    alarm_addresses=(),
    market_data=StreamSize(
        shards=8,
        retention_hours=168,
        batch_size=500,
        batching_window_seconds=30,
        retry_attempts=100,
        record_age_seconds=86_400,
        iterator_age_alarm_seconds=600,
        processor=FunctionSize(memory_mb=3538, timeout_seconds=300),
    ),
    macro_data=StreamSize(
        shards=2,
        retention_hours=168,
        batch_size=500,
        batching_window_seconds=60,
        retry_attempts=100,
        record_age_seconds=86_400,
        iterator_age_alarm_seconds=1800,
        processor=FunctionSize(memory_mb=1769, timeout_seconds=300),
    ),
    features_api=ApiSize(
        function=FunctionSize(memory_mb=1769, timeout_seconds=29), requests_per_second=500, burst=1000
    ),
    maintenance=MaintenanceSize(
        function=FunctionSize(memory_mb=7076, timeout_seconds=900),
        schedule="cron(30 2 * * ? *)",
        window_minutes=60,
        few=5,
        keep_for_days=30,
        keep_last=10,
        safe_age_hours=72,
        reserve_seconds=240,
    ),
    keep=Keep(logs=365, access_logs=400, query_results=30, dead_letters=365, replaced_objects=30),
    athena_scan_limit_mb=1_000_000,
)
