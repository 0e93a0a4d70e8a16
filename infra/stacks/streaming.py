"""Streaming: every Kinesis stream, and the processors that land the streams of facts.

Who drains the declared streams is in stacks of their own: processing, landing, trading.
"""

from __future__ import annotations

from typing import Final

from constructs import Construct

from infra.constructs import Layers, RecordStream, StreamProcessor
from infra.environments import Environment, StreamSize
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from vintner.messaging.streams import STREAMS, Stream

FACTS: Final = ("market_data", "macro_data")
"""Streams that carry facts as JSON; each has a processor that lands them."""


class StreamingStack(CapabilityStack):
    """Market data and macro data, each a stream with its processor; and a stream for each that is declared."""

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
            description="Vintner: the streams, and the processors of market and macro facts.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(lake)
        self.add_stack_dependency(features)
        layers = Layers(self, "Layers", shared=shared, owner="streaming")
        for subject in FACTS:
            name, title = subject.replace("_", "-"), subject.title().replace("_", "")
            size = {"market_data": environment.market_data, "macro_data": environment.macro_data}[subject]
            StreamProcessor(self, title, shared=shared, layers=layers, subject=subject, size=size)
            self.answer(f"{title}Stream", self.names.of(name), f"Kinesis stream of {name}.")
            self.answer(f"{title}Processor", self.names.of(name, "processor"), f"Function that lands {name}.")
        for stream in STREAMS.values():
            self._make(stream, shared)

    def _make(self, stream: Stream, shared: Shared) -> None:
        environment = shared.environment
        title = stream.resource_name.title().replace("-", "")
        hours, shards = environment.retention_hours(stream), environment.streams[stream.name].shards
        RecordStream(
            self,
            f"{title}Records",
            shared=shared,
            name=stream.resource_name,
            size=StreamSize(shards=shards, retention_hours=hours),
            late_seconds=max(environment.consumers[one.role].late_seconds for one in stream.consumers),
        )
        self.answer(f"{title}RecordsStream", self.names.stream(stream), stream.doc)
