"""Leaves out of a synthesis what its ground cannot deploy."""

from __future__ import annotations

from collections.abc import Collection

import jsii
from aws_cdk import CfnResource, IAspect
from constructs import IConstruct


@jsii.implements(IAspect)
class LeaveOut:
    """Removes resources of the given CloudFormation types from the tree.

    Parameters
    ----------
    types
        CloudFormation types, for instance ``AWS::Athena::NamedQuery``. Nothing else may refer to such a resource.
    """

    def __init__(self, types: Collection[str]) -> None:
        self._types = frozenset(types)

    def visit(self, node: IConstruct) -> None:
        """Remove the construct if it is a resource of a type to leave out."""
        if isinstance(node, CfnResource) and node.cfn_resource_type in self._types and node.node.scope:
            node.node.scope.node.try_remove_child(node.node.id)
