"""Trading: the ledgers of orders and fills, and the table where ids are claimed."""

from __future__ import annotations

from constructs import Construct

from infra.constructs import KeyedTable, Layers, StreamConsumer
from infra.constructs.permissions import append_to_lake, claim_ids
from infra.environments import Environment
from infra.stacks.base import CapabilityStack, consumers_of
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.streaming import StreamingStack
from vintner.messaging.streams import Role


class TradingStack(CapabilityStack):
    """Every ledger: it claims a record's id by a conditional write before the record has any effect."""

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
            capability="trading",
            description="Vintner: the ledgers of orders and fills.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(streaming)
        KeyedTable(self, "Ledger", shared=shared, name=self.names.ledger_table)
        self.answer("LedgerTable", self.names.ledger_table, "DynamoDB table of claimed ids.")
        layers = Layers(self, "Layers", shared=shared, owner="trading")
        for stream, consumer in consumers_of(Role.LEDGER):
            StreamConsumer(
                self,
                consumer.function.title().replace("_", ""),
                shared=shared,
                layers=layers,
                stream=stream,
                consumer=consumer,
                description=f"Claims the ids of {stream.name} and lands them in the lake.",
                permissions=[*append_to_lake(self.names), *claim_ids(self.names)],
            )
