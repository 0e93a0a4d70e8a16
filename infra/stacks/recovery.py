"""Recovery: the functions that look every minute at dead letters and at gaps, and mend what they can."""

from __future__ import annotations

from typing import Final

from constructs import Construct

from infra.constructs import HandlerFunction, KeyedTable, Layers, Schedule, alarm_above, own_metric
from infra.constructs.permissions import (
    call,
    keep_letters,
    publish,
    publish_facts,
    query_online,
    read_lake,
)
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.streaming import StreamingStack
from vintner.messaging.streams import STREAMS, TRADES

_LETTERS: Final = "dead-letters"
_GAPS: Final = "gap-repair"
CONSUMERS: Final = tuple(one.function for stream in STREAMS.values() for one in stream.consumers)
"""Every function a dead letter may be given back to."""


class RecoveryStack(CapabilityStack):
    """Dead letters with the table of what became of each, and the repair of gaps; each on a schedule."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        foundation: FoundationStack,
        lake: LakeStack,
        features: FeaturesStack,
        streaming: StreamingStack,
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="recovery",
            description="Vintner: dead letters re-driven, gaps repaired.",
        )
        shared = foundation.shared_with(self)
        for needed in (lake, features, streaming):
            self.add_stack_dependency(needed)
        self._layers = Layers(self, "Layers", shared=shared, owner="recovery")
        self._make_dead_letters(shared)
        self._make_gap_repair(shared)

    def _make_dead_letters(self, shared: Shared) -> None:
        KeyedTable(self, "Letters", shared=shared, name=self.names.letters_table)
        self.answer("LettersTable", self.names.letters_table, "DynamoDB table of dead letters.")
        function = HandlerFunction(
            self,
            "DeadLetters",
            shared=shared,
            layers=self._layers,
            folder="dead_letters",
            description="Classifies dead letters, re-drives them or parks them.",
            size=shared.environment.recovery.dead_letters,
            permissions=[
                *read_lake(self.names),
                *keep_letters(self.names),
                *publish(self.names, *STREAMS),
                call(*map(self.names.function_arn, CONSUMERS)),
            ],
        )
        self._call_each_minute(shared, _LETTERS, "Has dead letters looked at.", function)
        for state, metric, meaning in (
            ("waiting", "DeadLettersWaiting", "Dead letters wait for another attempt: find what refuses them."),
            ("parked", "DeadLettersParked", "Dead letters are parked: review them, then re-drive or discard them."),
        ):
            alarm_above(
                self,
                f"{state.title()}Alarm",
                shared=shared,
                name=f"{_LETTERS}-{state}",
                meaning=meaning,
                metric=own_metric(shared, service=_LETTERS, name=metric, statistic="Maximum"),
                threshold=0,
                periods=5,
            )

    def _make_gap_repair(self, shared: Shared) -> None:
        size = shared.environment.recovery
        function = HandlerFunction(
            self,
            "GapRepair",
            shared=shared,
            layers=self._layers,
            folder="gap_repair",
            description="Repairs gaps from a secondary source or from the lake, and keeps a record of each.",
            size=size.gap_repair,
            permissions=[
                *read_lake(self.names),
                *query_online(self.names),
                *publish(self.names, TRADES.name),
                *publish_facts(self.names),
            ],
        )
        self._call_each_minute(shared, _GAPS, "Has gaps repaired.", function)
        alarm_above(
            self,
            "UnrepairedAlarm",
            shared=shared,
            name=f"{_GAPS}-unrepaired",
            meaning=f"A gap is open for more than {size.unrepaired_minutes} minutes: look at its record for the cause.",
            metric=own_metric(shared, service=_GAPS, name="UnrepairedGaps", statistic="Maximum"),
            threshold=0,
        )

    def _call_each_minute(self, shared: Shared, name: str, description: str, function: HandlerFunction) -> None:
        Schedule(
            self,
            f"{name.title().replace('-', '')}Schedule",
            shared=shared,
            name=name,
            description=description,
            function=function,
            expression=shared.environment.recovery.schedule,
        )
