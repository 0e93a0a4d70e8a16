"""Production: nothing is deleted by a deployment, and everything can be restored to a point in time."""

from __future__ import annotations

from typing import Final

from infra.environments.model import (
    ApiSize,
    Architecture,
    DeadLettersSize,
    DrainSize,
    Environment,
    FactsSize,
    FunctionSize,
    GapsSize,
    IngressSize,
    Keep,
    LogLevel,
    MaintenanceSize,
    Removal,
    StreamSize,
)
from vintner.messaging.streams import Role

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
    market_data=FactsSize(
        stream=StreamSize(shards=8, retention_hours=168),
        processor=DrainSize(
            function=FunctionSize(memory_mb=3538, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=30,
            retry_attempts=100,
            record_age_seconds=86400,
            late_seconds=600,
        ),
    ),
    macro_data=FactsSize(
        stream=StreamSize(shards=2, retention_hours=168),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=60,
            retry_attempts=100,
            record_age_seconds=86400,
            late_seconds=1800,
        ),
    ),
    streams={
        "market_data.trades": StreamSize(shards=16, retention_hours=168),
        "market_data.l1": StreamSize(shards=16, retention_hours=168),
        "market_data.bars": StreamSize(shards=4, retention_hours=168),
        "features.raw": StreamSize(shards=16, retention_hours=168),
        "features.pit": StreamSize(shards=8, retention_hours=168),
        "signals": StreamSize(shards=2, retention_hours=168),
        "orders": StreamSize(shards=2, retention_hours=168),
        "fills": StreamSize(shards=2, retention_hours=168),
    },
    consumers={
        Role.PROCESSOR: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=100,
            record_age_seconds=86400,
            late_seconds=30,
        ),
        Role.LANDER: DrainSize(
            function=FunctionSize(memory_mb=3538, timeout_seconds=300),
            batch_size=10000,
            batching_window_seconds=60,
            retry_attempts=100,
            record_age_seconds=86400,
            late_seconds=600,
        ),
        Role.LEDGER: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=500,
            record_age_seconds=518400,
            late_seconds=15,
        ),
    },
    ingress=IngressSize(
        http=FunctionSize(memory_mb=1769, timeout_seconds=29), files=FunctionSize(memory_mb=1769, timeout_seconds=900)
    ),
    dead_letters=DeadLettersSize(
        function=FunctionSize(memory_mb=1769, timeout_seconds=900),
        operations=FunctionSize(memory_mb=512, timeout_seconds=29),
        schedule="rate(1 minute)",
    ),
    gaps=GapsSize(function=FunctionSize(memory_mb=1769, timeout_seconds=300), schedule="rate(1 minute)", rest=None),
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
    keep=Keep(
        logs=365,
        access_logs=400,
        query_results=30,
        dead_letters=365,
        replaced_objects=30,
        replaced_snapshots=3,
        dropped_files=30,
    ),
    athena_scan_limit_mb=1_000_000,
)
