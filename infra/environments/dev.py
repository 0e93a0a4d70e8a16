"""Development: small, forgetful, an account of its own."""

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
    market_data=FactsSize(
        stream=StreamSize(shards=1, retention_hours=24),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=30,
            retry_attempts=10,
            record_age_seconds=14400,
            late_seconds=600,
        ),
    ),
    macro_data=FactsSize(
        stream=StreamSize(shards=1, retention_hours=24),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=60,
            retry_attempts=10,
            record_age_seconds=14400,
            late_seconds=1800,
        ),
    ),
    streams={
        "market_data.trades": StreamSize(shards=2, retention_hours=24),
        "market_data.l1": StreamSize(shards=2, retention_hours=24),
        "market_data.bars": StreamSize(shards=1, retention_hours=24),
        "features.raw": StreamSize(shards=2, retention_hours=24),
        "features.pit": StreamSize(shards=1, retention_hours=24),
        "signals": StreamSize(shards=1, retention_hours=24),
        "orders": StreamSize(shards=1, retention_hours=24),
        "fills": StreamSize(shards=1, retention_hours=24),
    },
    consumers={
        Role.PROCESSOR: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=10,
            record_age_seconds=14400,
            late_seconds=60,
        ),
        Role.LANDER: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=10000,
            batching_window_seconds=60,
            retry_attempts=10,
            record_age_seconds=14400,
            late_seconds=600,
        ),
        Role.LEDGER: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=50,
            record_age_seconds=259200,
            late_seconds=30,
        ),
    },
    ingress=IngressSize(
        http=FunctionSize(memory_mb=512, timeout_seconds=29), files=FunctionSize(memory_mb=512, timeout_seconds=900)
    ),
    dead_letters=DeadLettersSize(
        function=FunctionSize(memory_mb=512, timeout_seconds=900),
        operations=FunctionSize(memory_mb=512, timeout_seconds=29),
        schedule="rate(1 minute)",
    ),
    gaps=GapsSize(function=FunctionSize(memory_mb=512, timeout_seconds=300), schedule="rate(1 minute)", rest=None),
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
    keep=Keep(
        logs=14,
        access_logs=30,
        query_results=7,
        dead_letters=30,
        replaced_objects=7,
        replaced_snapshots=1,
        dropped_files=7,
    ),
    athena_scan_limit_mb=50_000,
)
