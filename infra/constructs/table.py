"""A DynamoDB table as we make them."""

from __future__ import annotations

from aws_cdk import aws_dynamodb
from constructs import Construct

from infra.shared import Shared


class KeyedTable(aws_dynamodb.TableV2):
    """A table keyed by the strings ``pk`` and ``sk``, paid per request, encrypted with our key.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Key, removal policy, protection and point-in-time recovery.
    name
        Its whole name.
    expires
        Attribute that says from when on an item may be forgotten, seconds since 1970; None: never.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: Shared, name: str, expires: str | None = None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            table_name=name,
            partition_key=aws_dynamodb.Attribute(name="pk", type=aws_dynamodb.AttributeType.STRING),
            sort_key=aws_dynamodb.Attribute(name="sk", type=aws_dynamodb.AttributeType.STRING),
            billing=aws_dynamodb.Billing.on_demand(),
            time_to_live_attribute=expires,
            encryption=aws_dynamodb.TableEncryptionV2.customer_managed_key(shared.key),
            point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=shared.environment.point_in_time_recovery
            ),
            deletion_protection=shared.environment.protected,
            removal_policy=shared.removal,
        )
