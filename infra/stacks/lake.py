"""Lake: the bucket of the Iceberg tables, their Glue database, and the Athena workgroup that queries them.

The tables are not here: one idempotent migration creates and evolves them from the library's declared schemas, the
same way on every ground.
"""

from __future__ import annotations

from aws_cdk import aws_athena, aws_glue
from constructs import Construct

from infra import paths
from infra.constructs import PrivateBucket
from infra.environments import Environment
from infra.named_queries import read_named_queries
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.foundation import FoundationStack

_MEGABYTE = 1_000_000


class LakeStack(CapabilityStack):
    """Lake bucket, Glue database, Athena workgroup with its results bucket, named queries and prepared statements."""

    def __init__(self, scope: Construct, *, environment: Environment, foundation: FoundationStack) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="lake",
            description="Vintner: the Iceberg lake, its Glue database and its Athena workgroup.",
        )
        shared = foundation.shared_with(self)
        PrivateBucket(self, "Lake", shared=shared, name=self.names.lake_bucket)
        PrivateBucket(
            self,
            "QueryResults",
            shared=shared,
            name=self.names.athena_bucket,
            expire_days=environment.keep.query_results,
        )
        self._make_database().apply_removal_policy(shared.removal)
        workgroup = self._make_workgroup(shared)
        self._make_named_queries(workgroup)
        self._make_prepared_statements(workgroup)
        self.answer("LakeBucket", self.names.lake_bucket, "Bucket of the Iceberg tables.")
        self.answer("Warehouse", self.names.warehouse, "Location the Iceberg tables are under.")
        self.answer("GlueDatabase", self.names.glue_database, "Glue database of the lake.")
        self.answer("AthenaBucket", self.names.athena_bucket, "Bucket of query results.")
        self.answer("AthenaWorkgroup", self.names.workgroup, "Athena workgroup.")

    def _make_database(self) -> aws_glue.CfnDatabase:
        return aws_glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=aws_glue.CfnDatabase.DatabaseInputProperty(
                name=self.names.glue_database,
                description="Facts with their vintages.",
                location_uri=self.names.warehouse,
            ),
        )

    def _make_workgroup(self, shared: Shared) -> aws_athena.CfnWorkGroup:
        group = aws_athena.CfnWorkGroup
        return group(
            self,
            "Workgroup",
            name=self.names.workgroup,
            description="Research over the lake.",
            state="ENABLED",
            recursive_delete_option=not shared.environment.protected,
            work_group_configuration=group.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=shared.environment.athena_scan_limit_mb * _MEGABYTE,
                engine_version=group.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
                result_configuration=group.ResultConfigurationProperty(
                    output_location=f"s3://{self.names.athena_bucket}/results/",
                    expected_bucket_owner=self.account,
                    encryption_configuration=group.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=shared.key.key_arn
                    ),
                ),
            ),
        )

    def _make_named_queries(self, workgroup: aws_athena.CfnWorkGroup) -> None:
        for query in read_named_queries(paths.NAMED_QUERIES):
            named = aws_athena.CfnNamedQuery(
                self,
                f"Query-{query.name}",
                name=query.name,
                description=query.description,
                query_string=query.sql,
                database=self.names.glue_database,
                work_group=self.names.workgroup,
            )
            named.add_resource_dependency(workgroup)

    def _make_prepared_statements(self, workgroup: aws_athena.CfnWorkGroup) -> None:
        for query in read_named_queries(paths.PREPARED_STATEMENTS):
            prepared = aws_athena.CfnPreparedStatement(
                self,
                f"Prepared-{query.name}",
                statement_name=query.name,
                description=query.description,
                query_statement=query.sql,
                work_group=self.names.workgroup,
            )
            prepared.add_resource_dependency(workgroup)
