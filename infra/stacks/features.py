"""Features: the online table."""

from __future__ import annotations

from constructs import Construct

from infra.constructs import KeyedTable
from infra.environments import Environment
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack
from vintner.aws.items import EXPIRES


class FeaturesStack(CapabilityStack):
    """The online table. It holds only what can be rebuilt from the lake."""

    def __init__(self, scope: Construct, *, environment: Environment, foundation: FoundationStack) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="features",
            description="Vintner: the online table of the feature store.",
        )
        shared = foundation.shared_with(self)
        KeyedTable(self, "Online", shared=shared, name=self.names.online_table, expires=EXPIRES)
        self.answer("OnlineTable", self.names.online_table, "DynamoDB table of the online store.")
