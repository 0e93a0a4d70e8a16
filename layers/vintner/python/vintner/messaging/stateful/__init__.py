"""Consumers that keep state: claims, snapshots, and restoring by reading the stream again."""

from vintner.messaging.stateful.consumer import SNAPSHOT_AFTER, SNAPSHOT_EVERY, StatefulConsumer
from vintner.messaging.stateful.frames import frame, unframe
from vintner.messaging.stateful.lanes import DerivedRows, LanePipeline, Work, Worked
from vintner.messaging.stateful.model import (
    SHARED,
    Claim,
    ClaimConflictError,
    Claims,
    Derived,
    Missing,
    Pipeline,
    Shards,
    SnapshotError,
    Snapshots,
    StateLostError,
)

__all__ = [
    "SHARED", "SNAPSHOT_AFTER", "SNAPSHOT_EVERY", "Claim", "ClaimConflictError", "Claims", "Derived", "DerivedRows",
    "LanePipeline", "Missing", "Pipeline", "Shards", "SnapshotError", "Snapshots", "StateLostError",
    "StatefulConsumer", "Work", "Worked", "frame", "unframe",
]  # fmt: skip
