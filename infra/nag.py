"""Findings of the rules that are accepted, each by its exact id, where it is found, with a reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

from infra.environments import Environment
from infra.naming import Names


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding of the AwsSolutions rules on one construct.

    Parameters
    ----------
    construct
        Where the finding is.
    rule
        The rule after ``AwsSolutions-``, with its finding in brackets where it has several, for instance ``S1`` or
        ``IAM5[Resource::*]``.
    reason
        Why it is right here.
    """
    _acknowledge(construct, f"AwsSolutions-{rule}", reason)


def accept_warning(construct: IConstruct, warning: str, reason: str) -> None:
    """Accept one warning of CDK itself on one construct, for instance ``aws-s3:accessLogsPolicyNotAdded``."""
    _acknowledge(construct, f"Annotation::@aws-cdk/{warning}", reason)


def names_in_findings(environment: Environment) -> Names:
    """Return the names as findings spell them: an account that is not known stands as ``<AWS::AccountId>``."""
    return Names(environment, environment.account or "<AWS::AccountId>")


def _acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
