"""CDK's feature flags, pinned in code: the app behaves the same with and without the command line or a context file."""

from __future__ import annotations

from typing import Any, Final

BUNDLING_STACKS: Final = "aws:cdk:bundling-stacks"
"""CDK's list of the stacks whose assets are built; empty builds none."""

CONTEXT: Final[dict[str, Any]] = {
    # A reference to another stack is resolved by name at deployment; no export locks the producer.
    "@aws-cdk/core:defaultCrossStackReferences": "weak",
    "@aws-cdk/core:target-partitions": ["aws"],
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:stackRelativeExports": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-iam:standardizedServicePrincipals": True,
    "@aws-cdk/aws-kms:reduceCrossAccountRegionPolicyScope": True,
    "@aws-cdk/aws-kms:applyImportedAliasPermissionsToPrincipal": True,
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-s3:publicAccessBlockedByDefault": True,
    "@aws-cdk/aws-sns-subscriptions:restrictSqsDescryption": True,
    "@aws-cdk/aws-stepfunctions:useDistributedMapResultWriterV2": True,
}
