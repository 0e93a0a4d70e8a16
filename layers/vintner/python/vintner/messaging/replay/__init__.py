"""Replay: records of the lake, once more, in their original order, into a stream or a function."""

from vintner.messaging.replay.errors import ReplayMovedError, ReplaySpanError, ReplaySpeedError
from vintner.messaging.replay.function import FunctionPut
from vintner.messaging.replay.order import in_order
from vintner.messaging.replay.pace import Pace, speed_of
from vintner.messaging.replay.run import Part, Progress, parts_of, records_of, replay
from vintner.messaging.replay.span import ReplayClock, Span

__all__ = [
    "FunctionPut", "Pace", "Part", "Progress", "ReplayClock", "ReplayMovedError", "ReplaySpanError",
    "ReplaySpeedError", "Span", "in_order", "parts_of", "records_of", "replay", "speed_of",
]  # fmt: skip
