"""Gaps: the function that looks every minute for what should have come and did not, and has it again."""

from __future__ import annotations

from typing import Final

from constructs import Construct

from infra.constructs import HandlerFunction, Layers, Schedule, alarm_above, own_metric
from infra.constructs.permissions import keep_positions, publish, publish_facts, read_lake
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.processing import ProcessingStack
from vintner.messaging.streams import TRADES

_FOLDER: Final = "gap_repair"
_NAME: Final = "gap-repair"
_ALARMS: Final = (
    ("unrepaired", "UnrepairedGaps", "A gap is open for more than five minutes: its record in the lake has the cause."),
    ("circuit-open", "CircuitsOpen", "A source of repairs keeps failing and is left alone: see whether it is there."),
)


class GapsStack(CapabilityStack):
    """The repair of gaps, which claims each in the table of positions."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        foundation: FoundationStack,
        lake: LakeStack,
        processing: ProcessingStack,
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="gaps",
            description="Vintner: gaps found and repaired.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(processing)
        function = self._make_function(shared)
        Schedule(
            self,
            "EachMinute",
            shared=shared,
            name=_NAME,
            description="Has gaps looked for and repaired.",
            function=function,
            expression=environment.gaps.schedule,
        )
        self._watch(shared)

    def _make_function(self, shared: Shared) -> HandlerFunction:
        return HandlerFunction(
            self,
            "Function",
            shared=shared,
            layers=Layers(self, "Layers", shared=shared, owner="gaps"),
            folder=_FOLDER,
            description="Repairs gaps from a secondary source or from the lake, and keeps a record of each.",
            size=shared.environment.gaps.function,
            permissions=[
                *read_lake(self.names),
                *keep_positions(self.names, _FOLDER),
                *publish(self.names, TRADES.name),
                *publish_facts(self.names),
            ],
            variables=shared.environment.gaps.variables(),
        )

    def _watch(self, shared: Shared) -> None:
        told_apart = {"environment": shared.environment.name}
        for state, metric, meaning in _ALARMS:
            alarm_above(
                self,
                f"{state.title().replace('-', '')}Alarm",
                shared=shared,
                name=f"{_NAME}-{state}",
                meaning=meaning,
                metric=own_metric(shared, service=_NAME, name=metric, statistic="Maximum", dimensions=told_apart),
                threshold=0,
            )
