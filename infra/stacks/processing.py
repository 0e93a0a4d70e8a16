"""Processing: the functions that keep state and derive further streams, and where they keep it."""

from __future__ import annotations

from constructs import Construct

from infra.constructs import KeyedTable, Layers, PrivateBucket, StreamConsumer
from infra.constructs.permissions import keep_positions, keep_snapshots, publish, publish_facts, read_lake
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack, consumers_of
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.streaming import StreamingStack
from vintner.messaging.streams import Role


class ProcessingStack(CapabilityStack):
    """Every processor, the table of their positions, and the bucket of their snapshots.

    What is kept here can be made again from the streams and the lake; it makes a restart short.
    """

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
            capability="processing",
            description="Vintner: the processors of streams and the state they keep.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(streaming)
        self._make_stores(shared)
        layers = Layers(self, "Layers", shared=shared, owner="processing")
        for stream, consumer in consumers_of(Role.PROCESSOR):
            StreamConsumer(
                self,
                consumer.function.title().replace("_", ""),
                shared=shared,
                layers=layers,
                stream=stream,
                consumer=consumer,
                description=f"Derives {', '.join(consumer.produces)} from {stream.name}.",
                permissions=[
                    *read_lake(self.names),
                    *keep_positions(self.names, consumer.function),
                    *keep_snapshots(self.names, consumer.function),
                    *publish(self.names, *consumer.produces),
                    *publish_facts(self.names),
                ],
            )

    def _make_stores(self, shared: Shared) -> None:
        KeyedTable(self, "Positions", shared=shared, name=self.names.positions_table)
        PrivateBucket(
            self,
            "State",
            shared=shared,
            name=self.names.state_bucket,
            replaced_days=shared.environment.keep.replaced_snapshots,
        )
        self.answer("PositionsTable", self.names.positions_table, "DynamoDB table of the processors' positions.")
        self.answer("StateBucket", self.names.state_bucket, "Snapshots of the processors' state.")
