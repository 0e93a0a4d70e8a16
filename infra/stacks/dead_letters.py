"""Dead letters: the function that looks after them every minute, and the function through which people decide.

The second shows letters, notes what was decided and has the first do it; so it has few rights of its own. The HTTP API
in front of it is in the stack of the API.
"""

from __future__ import annotations

from typing import Final

from constructs import Construct

from infra.constructs import HandlerFunction, KeyedTable, Layers, Schedule, alarm_above, own_metric
from infra.constructs.permissions import call, keep_letters, publish, publish_facts, read_lake, read_letters
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.streaming import FACTS, StreamingStack
from vintner.messaging.streams import STREAMS

OPERATIONS: Final = "operations_api"
CALLED_AGAIN: Final = (
    *(one.function for stream in STREAMS.values() for one in stream.consumers),
    *(f"{subject}_processor" for subject in FACTS),
    *("file_drop", "gap_repair", "lake_maintenance"),
)
"""Every function that a dead letter may be of: consumers of streams, and what is called without waiting."""

_FOLDER: Final = "dead_letters"
_NAME: Final = "dead-letters"
_ALARMS: Final = (
    ("waiting", "DeadLettersWaiting", "Dead letters wait for another attempt: find what refuses them."),
    ("parked", "DeadLettersParked", "Dead letters are parked: review them, then re-drive or discard them."),
)
_MINUTES: Final = 5


class DeadLettersStack(CapabilityStack):
    """The table of what became of each dead letter, the function that works on them, and that of operations."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        foundation: FoundationStack,
        lake: LakeStack,
        streaming: StreamingStack,
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability=_NAME,
            description="Vintner: dead letters, tried again or decided about.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(streaming)
        KeyedTable(self, "Letters", shared=shared, name=self.names.letters_table)
        self.answer("LettersTable", self.names.letters_table, "DynamoDB table of dead letters.")
        layers = Layers(self, "Layers", shared=shared, owner=_NAME)
        function = self._make_function(shared, layers)
        self._make_operations(shared, layers)
        Schedule(
            self,
            "EachMinute",
            shared=shared,
            name=_NAME,
            description="Has dead letters looked at.",
            function=function,
            expression=environment.dead_letters.schedule,
        )
        self._watch(shared)

    def _make_function(self, shared: Shared, layers: Layers) -> HandlerFunction:
        return HandlerFunction(
            self,
            "Function",
            shared=shared,
            layers=layers,
            folder=_FOLDER,
            description="Judges dead letters by their cause, tries them again or parks them.",
            size=shared.environment.dead_letters.function,
            permissions=[
                *read_lake(self.names),
                *read_letters(self.names),
                *keep_letters(self.names),
                *publish(self.names, *STREAMS),
                *publish_facts(self.names, *FACTS),
                call(*map(self.names.function_arn, CALLED_AGAIN)),
            ],
        )

    def _make_operations(self, shared: Shared, layers: Layers) -> None:
        HandlerFunction(
            self,
            "Operations",
            shared=shared,
            layers=layers,
            folder=OPERATIONS,
            description="Shows dead letters, and notes what people decide about them.",
            size=shared.environment.dead_letters.operations,
            permissions=[
                *read_letters(self.names),
                *keep_letters(self.names),
                call(self.names.function_arn(_FOLDER)),
            ],
        )

    def _watch(self, shared: Shared) -> None:
        told_apart = {"environment": shared.environment.name}
        for state, metric, meaning in _ALARMS:
            alarm_above(
                self,
                f"{state.title()}Alarm",
                shared=shared,
                name=f"{_NAME}-{state}",
                meaning=meaning,
                metric=own_metric(shared, service=_NAME, name=metric, statistic="Minimum", dimensions=told_apart),
                threshold=0,
                periods=_MINUTES,
            )
