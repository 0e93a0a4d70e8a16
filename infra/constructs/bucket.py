"""A bucket as we make them."""

from __future__ import annotations

from aws_cdk import Duration, aws_s3
from constructs import Construct

from infra.nag import accept_warning
from infra.shared import Shared

_ABANDONED_UPLOAD = Duration.days(7)


class PrivateBucket(aws_s3.Bucket):
    """A bucket nobody outside reaches: encrypted with our key, TLS only, versioned, its accesses logged.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Key, log bucket and removal policy. Without a log bucket, accesses are not logged.
    name
        Its whole name.
    expire_days
        Age at which current objects are deleted; None keeps them.
    replaced_days
        Age at which objects that were replaced or removed are forgotten; the environment's, if None.
    encryption
        Our key, unless a service that writes here cannot use one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        name: str,
        expire_days: int | None = None,
        replaced_days: int | None = None,
        encryption: aws_s3.BucketEncryption = aws_s3.BucketEncryption.KMS,
    ) -> None:
        ours = encryption is aws_s3.BucketEncryption.KMS
        super().__init__(
            scope,
            construct_id,
            bucket_name=name,
            encryption=encryption,
            encryption_key=shared.key if ours else None,
            bucket_key_enabled=True if ours else None,
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=aws_s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            removal_policy=shared.removal,
            server_access_logs_bucket=shared.access_logs,
            server_access_logs_prefix=f"{name}/" if shared.access_logs else None,
            lifecycle_rules=[_tidy(expire_days, replaced_days or shared.environment.keep.replaced_objects)],
        )
        if shared.access_logs:
            reason = "The log bucket's own policy, in the foundation, lets every bucket of the environment log there."
            accept_warning(self, "aws-s3:accessLogsPolicyNotAdded", reason)


def _tidy(expire_days: int | None, replaced_days: int) -> aws_s3.LifecycleRule:
    return aws_s3.LifecycleRule(
        id="tidy",
        abort_incomplete_multipart_upload_after=_ABANDONED_UPLOAD,
        noncurrent_version_expiration=Duration.days(replaced_days),
        expiration=Duration.days(expire_days) if expire_days else None,
        # Else the marks of what was deleted and forgotten would slow every listing down for ever.
        expired_object_delete_marker=None if expire_days else True,
    )
