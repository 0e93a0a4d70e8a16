"""What every stack takes from the foundation."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, aws_kms, aws_s3, aws_sns

from infra.environments import Environment, Removal
from infra.naming import Names


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """The environment, its names, and the foundation's things as one stack sees them.

    The key and the topic are imported into the stack that uses them: passed as they are, CDK would write grants back
    into the foundation and close a cycle between the stacks.
    """

    environment: Environment
    names: Names
    key: aws_kms.IKey
    alarms: aws_sns.ITopic
    access_logs: aws_s3.IBucket | None

    @property
    def removal(self) -> RemovalPolicy:
        """What CloudFormation does with data when it deletes a stack."""
        return removal_of(self.environment)


def removal_of(environment: Environment) -> RemovalPolicy:
    """Return CDK's name for what becomes of an environment's data."""
    return {Removal.RETAIN: RemovalPolicy.RETAIN, Removal.DESTROY: RemovalPolicy.DESTROY}[environment.removal]
