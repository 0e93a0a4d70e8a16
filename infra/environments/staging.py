"""Staging: production's shape at a smaller size, with data that may be lost."""

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
    market_data=FactsSize(
        stream=StreamSize(shards=2, retention_hours=72),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=30,
            retry_attempts=50,
            record_age_seconds=43200,
            late_seconds=600,
        ),
    ),
    macro_data=FactsSize(
        stream=StreamSize(shards=1, retention_hours=72),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=500,
            batching_window_seconds=60,
            retry_attempts=50,
            record_age_seconds=43200,
            late_seconds=1800,
        ),
    ),
    streams={
        "market_data.trades": StreamSize(shards=4, retention_hours=72),
        "market_data.l1": StreamSize(shards=4, retention_hours=72),
        "market_data.bars": StreamSize(shards=2, retention_hours=72),
        "features.raw": StreamSize(shards=4, retention_hours=72),
        "features.pit": StreamSize(shards=2, retention_hours=72),
        "signals": StreamSize(shards=1, retention_hours=72),
        "orders": StreamSize(shards=1, retention_hours=72),
        "fills": StreamSize(shards=1, retention_hours=72),
    },
    consumers={
        Role.PROCESSOR: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=50,
            record_age_seconds=43200,
            late_seconds=60,
        ),
        Role.LANDER: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=300),
            batch_size=10000,
            batching_window_seconds=60,
            retry_attempts=50,
            record_age_seconds=43200,
            late_seconds=600,
        ),
        Role.LEDGER: DrainSize(
            function=FunctionSize(memory_mb=1769, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=200,
            record_age_seconds=432000,
            late_seconds=30,
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
    keep=Keep(
        logs=30,
        access_logs=90,
        query_results=14,
        dead_letters=90,
        replaced_objects=14,
        replaced_snapshots=2,
        dropped_files=14,
    ),
    athena_scan_limit_mb=200_000,
)
