"""Our defaults, once each."""

from infra.constructs.alarms import alarm_above, own_metric
from infra.constructs.bucket import PrivateBucket
from infra.constructs.consumer import StreamConsumer
from infra.constructs.function import HandlerFunction
from infra.constructs.layers import Layers
from infra.constructs.logs import KeptLogs
from infra.constructs.processor import StreamProcessor
from infra.constructs.queue import WorkQueue
from infra.constructs.schedule import Schedule
from infra.constructs.stream import RecordStream
from infra.constructs.table import KeyedTable
from infra.constructs.workflow import Workflow

__all__ = [
    "HandlerFunction",
    "KeptLogs",
    "KeyedTable",
    "Layers",
    "PrivateBucket",
    "RecordStream",
    "Schedule",
    "StreamConsumer",
    "StreamProcessor",
    "WorkQueue",
    "Workflow",
    "alarm_above",
    "own_metric",
]
