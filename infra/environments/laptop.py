"""The laptop: the whole platform in one process, thrown away at will."""

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

LAPTOP: Final = Environment(
    name="laptop",
    account="000000000000",
    region="eu-west-1",
    owner="platform",
    cost_centre="laptop",
    removal=Removal.DESTROY,
    protected=False,
    point_in_time_recovery=True,
    architecture=Architecture.ARM64,
    bundle_dependencies=False,
    log_level=LogLevel.INFO,
    alarm_addresses=(),
    market_data=FactsSize(
        stream=StreamSize(shards=1, retention_hours=24),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1024, timeout_seconds=120),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=5,
            record_age_seconds=3600,
            late_seconds=300,
        ),
    ),
    macro_data=FactsSize(
        stream=StreamSize(shards=1, retention_hours=24),
        processor=DrainSize(
            function=FunctionSize(memory_mb=1024, timeout_seconds=120),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=5,
            record_age_seconds=3600,
            late_seconds=300,
        ),
    ),
    streams={
        "market_data.trades": StreamSize(shards=2, retention_hours=24),
        "market_data.l1": StreamSize(shards=2, retention_hours=24),
        "market_data.bars": StreamSize(shards=1, retention_hours=24),
        "features.raw": StreamSize(shards=1, retention_hours=24),
        "features.pit": StreamSize(shards=1, retention_hours=24),
        "signals": StreamSize(shards=1, retention_hours=24),
        "orders": StreamSize(shards=1, retention_hours=24),
        "fills": StreamSize(shards=1, retention_hours=24),
    },
    consumers={
        Role.PROCESSOR: DrainSize(
            function=FunctionSize(memory_mb=1024, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=5,
            record_age_seconds=3600,
            late_seconds=60,
        ),
        Role.LANDER: DrainSize(
            function=FunctionSize(memory_mb=1024, timeout_seconds=120),
            batch_size=1000,
            batching_window_seconds=1,
            retry_attempts=5,
            record_age_seconds=3600,
            late_seconds=120,
        ),
        Role.LEDGER: DrainSize(
            function=FunctionSize(memory_mb=512, timeout_seconds=60),
            batch_size=100,
            batching_window_seconds=0,
            retry_attempts=20,
            record_age_seconds=7200,
            late_seconds=30,
        ),
    },
    ingress=IngressSize(
        http=FunctionSize(memory_mb=512, timeout_seconds=29), files=FunctionSize(memory_mb=512, timeout_seconds=120)
    ),
    dead_letters=DeadLettersSize(
        function=FunctionSize(memory_mb=512, timeout_seconds=300),
        operations=FunctionSize(memory_mb=512, timeout_seconds=29),
        schedule="rate(1 minute)",
    ),
    gaps=GapsSize(function=FunctionSize(memory_mb=512, timeout_seconds=55), schedule="rate(1 minute)", rest=None),
    features_api=ApiSize(function=FunctionSize(memory_mb=1024, timeout_seconds=29), requests_per_second=100, burst=200),
    maintenance=MaintenanceSize(
        function=FunctionSize(memory_mb=1024, timeout_seconds=300),
        schedule="cron(30 2 * * ? *)",
        window_minutes=15,
        few=5,
        keep_for_days=2,
        keep_last=10,
        safe_age_hours=24,
        reserve_seconds=30,
    ),
    keep=Keep(
        logs=1,
        access_logs=1,
        query_results=1,
        dead_letters=14,
        replaced_objects=1,
        replaced_snapshots=1,
        dropped_files=1,
    ),
    athena_scan_limit_mb=10_000,
    left_out={
        "AWS::Athena::NamedQuery": "MiniStack's CloudFormation does not know named queries; run the files of athena/.",
        "AWS::Athena::PreparedStatement": "MiniStack's CloudFormation lacks them; the laptop's endpoint has them.",
    },
)
