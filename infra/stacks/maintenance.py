"""Maintenance: the function that keeps the lake's tables in order, and the schedule that calls it."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from constructs import Construct

from infra.constructs import HandlerFunction, Layers, Schedule, alarm_above, own_metric
from infra.constructs.permissions import maintain_lake
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack

_NAME: Final = "lake-maintenance"
_DAYS: Final = 3


class MaintenanceStack(CapabilityStack):
    """The maintenance function, which alone may remove data files, and its schedule.

    No concurrency is reserved: two runs at once waste work and harm nothing, since every commit is conditional; while
    a reservation takes from every other function, and is refused in accounts whose limit is still small.
    """

    def __init__(
        self, scope: Construct, *, environment: Environment, foundation: FoundationStack, lake: LakeStack
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="maintenance",
            description="Vintner: the lake's tables kept in order.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        size = environment.maintenance
        function = HandlerFunction(
            self,
            "Function",
            shared=shared,
            layers=Layers(self, "Layers", shared=shared, owner="maintenance"),
            folder="lake_maintenance",
            description="Compacts the lake's tables, expires their snapshots, removes orphaned files.",
            size=size.function,
            permissions=maintain_lake(self.names),
            variables=size.variables(),
        )
        Schedule(
            self,
            "Daily",
            shared=shared,
            name=_NAME,
            description="Has the lake maintained.",
            function=function,
            expression=size.schedule,
            window_minutes=size.window_minutes,
        )
        self._watch(shared)
        self.answer("MaintenanceFunction", self.names.of(_NAME), "Function that maintains the lake.")

    def _watch(self, shared: Shared) -> None:
        alarm_above(
            self,
            "UnfinishedAlarm",
            shared=shared,
            name=f"{_NAME}-unfinished",
            meaning=f"Maintenance ran out of time on {_DAYS} days in a row: give it more memory or call it more often.",
            metric=own_metric(
                shared,
                service=_NAME,
                name="TablesLeft",
                statistic="Minimum",
                period=Duration.days(1),
                dimensions={"environment": shared.environment.name},
            ),
            threshold=0,
            periods=_DAYS,
        )
