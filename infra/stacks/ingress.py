"""Ingress: the functions that take records in over HTTP and from dropped files, and the bucket of those.

The HTTP API that calls the first is in the stack of the API.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnResource, aws_iam, aws_lambda
from constructs import Construct

from infra.constructs import HandlerFunction, Layers, PrivateBucket
from infra.constructs.permissions import INCOMING, publish, take_dropped_files
from infra.environments import Environment
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.streaming import StreamingStack
from vintner.messaging.streams import STREAMS

HTTP: Final = "http_ingest"
FILES: Final = "file_drop"
_DERIVED: Final = {name for stream in STREAMS.values() for one in stream.consumers for name in one.produces}
OPEN: Final = tuple(name for name in STREAMS if name not in _DERIVED)
"""Streams that records from outside may enter: those that nothing here derives."""


class IngressStack(CapabilityStack):
    """The functions of HTTP ingest and of the file drop. Each may put records into the streams that are open."""

    def __init__(
        self, scope: Construct, *, environment: Environment, foundation: FoundationStack, streaming: StreamingStack
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="ingress",
            description="Vintner: records taken in over HTTP and from files.",
        )
        shared = foundation.shared_with(self)
        self.add_stack_dependency(streaming)
        layers = Layers(self, "Layers", shared=shared, owner="ingress")
        HandlerFunction(
            self,
            "Http",
            shared=shared,
            layers=layers,
            folder=HTTP,
            description="Takes batches of records in over HTTP.",
            size=environment.ingress.http,
            permissions=publish(self.names, *OPEN),
        )
        files = HandlerFunction(
            self,
            "Files",
            shared=shared,
            layers=layers,
            folder=FILES,
            description="Takes the records of dropped files in.",
            size=environment.ingress.files,
            permissions=[*publish(self.names, *OPEN), *take_dropped_files(self.names)],
        )
        self._make_bucket(shared, files)
        self.answer("DropBucket", self.names.drop_bucket, "Files dropped here are taken in.")

    def _make_bucket(self, shared: Shared, files: HandlerFunction) -> None:
        """Make the bucket call the function; a property of ours, since CDK would add a custom resource."""
        bucket = PrivateBucket(
            self,
            "Drop",
            shared=shared,
            name=self.names.drop_bucket,
            expire_days=shared.environment.keep.dropped_files,
        )
        permission = aws_lambda.CfnPermission(
            self,
            "DropCallsFiles",
            function_name=files.function_name,
            action="lambda:InvokeFunction",
            principal=aws_iam.ServicePrincipal("s3.amazonaws.com").service,
            # Named, not referred to: the permission has to be there before the bucket.
            source_arn=f"arn:aws:s3:::{self.names.drop_bucket}",
            source_account=self.account,
        )
        resource = bucket.node.default_child
        assert isinstance(resource, CfnResource)  # noqa: S101  # what every bucket is made of
        resource.add_property_override(
            "NotificationConfiguration.LambdaConfigurations",
            [
                {
                    "Event": "s3:ObjectCreated:*",
                    "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": INCOMING}]}},
                    "Function": files.function_arn,
                }
            ],
        )
        resource.add_resource_dependency(permission)
