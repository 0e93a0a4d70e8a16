"""Landing: the functions that commit what streams carry to the lake."""

from __future__ import annotations

from typing import Final

from constructs import Construct

from infra.constructs import Layers, StreamConsumer
from infra.constructs.permissions import append_to_lake, write_online
from infra.environments import Environment
from infra.stacks.base import CapabilityStack, consumers_of
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.streaming import StreamingStack
from vintner.messaging.streams import BARS, FEATURES_PIT, FEATURES_RAW, Role

SERVED: Final = (BARS.name, FEATURES_RAW.name, FEATURES_PIT.name)
"""Streams whose facts are served online as well, as their datasets declare it."""


class LandingStack(CapabilityStack):
    """Every lander of a declared stream."""

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
            capability="landing",
            description="Vintner: the functions that land streams in the lake.",
        )
        shared = foundation.shared_with(self)
        for needed in (lake, features, streaming):
            self.add_stack_dependency(needed)
        layers = Layers(self, "Layers", shared=shared, owner="landing")
        for stream, consumer in consumers_of(Role.LANDER):
            StreamConsumer(
                self,
                consumer.function.title().replace("_", ""),
                shared=shared,
                layers=layers,
                stream=stream,
                consumer=consumer,
                description=f"Lands the stream {stream.name} in the lake.",
                permissions=[
                    *append_to_lake(self.names),
                    *(write_online(self.names) if stream.name in SERVED else ()),
                ],
            )
