"""A stream of facts and the function that lands it."""

from __future__ import annotations

from constructs import Construct

from infra.constructs.function import HandlerFunction
from infra.constructs.layers import Layers
from infra.constructs.mapping import StreamMapping
from infra.constructs.permissions import append_to_lake, drain, write_online
from infra.constructs.stream import RecordStream
from infra.environments import FactsSize
from infra.shared import Shared


class StreamProcessor(Construct):
    """A stream of facts, its processor, and the mapping between them.

    Attributes
    ----------
    stream, function
        The two ends.
    """

    stream: RecordStream
    function: HandlerFunction

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: Shared, layers: Layers, subject: str, size: FactsSize
    ) -> None:
        super().__init__(scope, construct_id)
        name = subject.replace("_", "-")
        late = size.processor.late_seconds
        self.stream = RecordStream(self, "Stream", shared=shared, name=name, size=size.stream, late_seconds=late)
        self.function = HandlerFunction(
            self,
            "Processor",
            shared=shared,
            layers=layers,
            folder=f"{subject}_processor",
            description=f"Lands the stream {name} in the lake and in the online table.",
            size=size.processor.function,
            permissions=[
                *append_to_lake(shared.names),
                *write_online(shared.names),
                *drain(self.stream.stream_arn),
            ],
        )
        StreamMapping(
            self,
            "Mapping",
            shared=shared,
            name=name,
            stream_arn=self.stream.stream_arn,
            function=self.function,
            size=size.processor,
        )
