"""What all stacks have in common."""

from __future__ import annotations

from collections.abc import Iterator

import aws_cdk as cdk
from constructs import Construct

from infra.environments import Environment
from infra.naming import Names
from vintner.messaging.streams import STREAMS, Consumer, Role, Stream


def consumers_of(role: Role) -> Iterator[tuple[Stream, Consumer]]:
    """Return every declared stream with each of its consumers of a role."""
    for stream in STREAMS.values():
        for consumer in stream.consumers:
            if consumer.role is role:
                yield stream, consumer


class CapabilityStack(cdk.Stack):
    """One capability of one environment: named, described, tagged, and protected where the environment says so.

    Parameters
    ----------
    scope
        The app.
    environment
        Where it is deployed to.
    capability
        Its name after ``vintner-{environment}-``.
    description
        One sentence.
    """

    names: Names

    def __init__(self, scope: Construct, *, environment: Environment, capability: str, description: str) -> None:
        name = f"vintner-{environment.name}-{capability}"
        super().__init__(
            scope,
            name,
            stack_name=name,
            description=description,
            env=cdk.Environment(account=environment.account, region=environment.region),
            termination_protection=environment.protected,
        )
        self.names = Names(environment, self.account)
        tags = {
            "application": "vintner",
            "environment": environment.name,
            "owner": environment.owner,
            "cost-centre": environment.cost_centre,
        }
        for key, value in tags.items():
            cdk.Tags.of(self).add(key, value)

    def answer(self, name: str, value: str, description: str) -> None:
        """Add an output under a stable name."""
        cdk.CfnOutput(self, f"{name}Output", value=value, description=description).override_logical_id(name)
