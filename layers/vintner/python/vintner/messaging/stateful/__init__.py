"""Consumers that keep state: claims, snapshots, and restoring by reading the stream again."""

from vintner.messaging.stateful.consumer import SNAPSHOT_AFTER, SNAPSHOT_EVERY, StatefulConsumer
from vintner.messaging.stateful.frames import frame, unframe
from vintner.messaging.stateful.lanes import DerivedRows, LanePipeline, Work, Worked, in_lanes
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
from vintner.messaging.stateful.rebuilding import ConsumerRunningError, Rebuilding, RebuiltShard, as_work, moving

__all__ = [
    "SHARED", "SNAPSHOT_AFTER", "SNAPSHOT_EVERY", "Claim", "ClaimConflictError", "Claims", "ConsumerRunningError",
    "Derived", "DerivedRows", "LanePipeline", "Missing", "Pipeline", "Rebuilding", "RebuiltShard", "Shards",
    "SnapshotError", "Snapshots", "StateLostError", "StatefulConsumer", "Work", "Worked", "as_work", "frame",
    "in_lanes", "moving", "unframe",
]  # fmt: skip
