"""Streaming: the Kinesis streams and the processors that land them."""

from __future__ import annotations

from constructs import Construct

from infra.constructs import Layers, StreamProcessor
from infra.environments import Environment
from infra.stacks.base import CapabilityStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack


class StreamingStack(CapabilityStack):
    """Market data and macro data, each a stream with its processor."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        foundation: FoundationStack,
        lake: LakeStack,
        features: FeaturesStack,
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="streaming",
            description="Vintner: market and macro data streams and their processors.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(features)
        layers = Layers(self, "Layers", shared=shared, owner="streaming")
        for subject, title, size in (
            ("market_data", "MarketData", environment.market_data),
            ("macro_data", "MacroData", environment.macro_data),
        ):
            StreamProcessor(self, title, shared=shared, layers=layers, subject=subject, size=size)
            name = subject.replace("_", "-")
            self.answer(f"{title}Stream", self.names.of(name), f"Kinesis stream of {name}.")
            self.answer(f"{title}Processor", self.names.of(name, "processor"), f"Function that lands {name}.")
