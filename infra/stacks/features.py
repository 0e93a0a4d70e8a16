"""Features: the online table."""

from __future__ import annotations

from constructs import Construct

from infra.constructs import KeyedTable
from infra.environments import Environment
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack


class FeaturesStack(CapabilityStack):
    """The online table. It holds only what can be rebuilt from the lake."""

    def __init__(self, scope: Construct, *, environment: Environment, foundation: FoundationStack) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="features",
            description="Vintner: the online table of the feature store.",
        )
        KeyedTable(self, "Online", shared=foundation.shared_with(self), name=self.names.online_table)
        self.answer("OnlineTable", self.names.online_table, "DynamoDB table of the online store.")
