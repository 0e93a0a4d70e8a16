"""Looks at a running ground, each telling whether a known difference from an account is still there."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import boto3
from botocore.exceptions import ClientError

from local.errors import ProbeError
from local.ground.config import REGION, GroundConfig
from local.ground.ground import Ground
from local.ground.ports import free_ports

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 60.0


def cloudformation_lacks(ground: Ground, *, kind: str) -> bool:
    """Whether CloudFormation refuses a template that holds a resource of this type."""
    template = {"Resources": {"Probe": {"Type": kind, "Properties": {}}}}
    try:
        ground.client("cloudformation").validate_template(TemplateBody=json.dumps(template))
    except ClientError as refusal:
        return "Unrecognized resource types" in str(refusal)
    return False


def athena_speaks_another_dialect(ground: Ground) -> bool:
    """Whether MiniStack's own Athena fails on a function that Athena has."""
    # Not ground.client: that one leads to the endpoint that stands in for it.
    athena = ground.session().client("athena", **ground.client_options())
    s3, bucket = ground.client("s3"), "vintner-probe-athena"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    try:
        query = athena.start_query_execution(
            QueryString="SELECT from_iso8601_timestamp('2026-01-05T00:00:00Z')",
            ResultConfiguration={"OutputLocation": f"s3://{bucket}/"},
        )
        return wait_for(lambda: _end_of(athena, query["QueryExecutionId"]), "Athena's answer") != "SUCCEEDED"
    finally:
        empty_bucket(s3, bucket)


def _end_of(athena: Any, query: str) -> str | None:
    state = str(athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"])
    return state if state in ("SUCCEEDED", "FAILED", "CANCELLED") else None


def lacks_sagemaker(ground: Ground) -> bool:
    """Whether SageMaker refuses to list models."""
    try:
        ground.client("sagemaker").list_models()
    except ClientError:
        return True
    return False


def lets_anyone_assume_a_role(ground: Ground) -> bool:
    """Whether a role that trusts one service alone can be assumed by a person."""
    roles, name = ground.client("iam"), "vintner-probe-trust"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = roles.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    try:
        ground.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="probe")
    except ClientError:
        return False
    finally:
        roles.delete_role(RoleName=name)
    return True


def shows_items_of_other_owners(ground: Ground) -> bool:
    """Whether a role that is kept to items with a leading key reads another item."""
    roles, tables, name = ground.client("iam"), ground.client("dynamodb"), "vintner-probe-items"
    allow = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
    own = {"Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["mine#*"]}}}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = roles.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    roles.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(allow | own))
    tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        given = ground.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="probe")["Credentials"]
        reader = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)
        client = reader.client("dynamodb", **ground.client_options())
        client.get_item(TableName=name, Key={"pk": {"S": "mine#1"}})
        try:
            client.get_item(TableName=name, Key={"pk": {"S": "theirs#1"}})
        except ClientError:
            return False
        return True
    finally:
        tables.delete_table(TableName=name)
        roles.delete_role_policy(RoleName=name, PolicyName=name)
        roles.delete_role(RoleName=name)


def glue_makes_no_iceberg_metadata(ground: Ground) -> bool:
    """Whether an Iceberg table made through Glue lacks the property that points at its metadata."""
    glue, s3 = ground.client("glue"), ground.client("s3")
    name, bucket = "vintner_probe", "vintner-probe-iceberg"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    glue.create_database(DatabaseInput={"Name": name})
    try:
        columns = [{"Name": "entity", "Type": "string"}]
        storage = {"Columns": columns, "Location": f"s3://{bucket}/{name}"}
        glue.create_table(
            DatabaseName=name,
            TableInput={"Name": name, "StorageDescriptor": storage},
            OpenTableFormatInput={"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}},
        )
        table = glue.get_table(DatabaseName=name, Name=name)["Table"]
        return "metadata_location" not in table.get("Parameters", {})
    finally:
        glue.delete_database(Name=name)
        empty_bucket(s3, bucket)


def forgets_when_killed(ground: Ground) -> bool:
    """Whether a database of the catalog is gone after a ``kill -9``, tried on a ground of its own."""
    del ground  # it is somebody's; killing is for a ground nobody needs
    with tempfile.TemporaryDirectory(prefix="vintner-") as folder:
        other = Ground(GroundConfig(Path(folder), *free_ports(2)))
        try:
            other.start()
            other.client("glue").create_database(DatabaseInput={"Name": "vintner_probe"})
            other.kill()
            other.start()
            return not other.client("glue").get_databases()["DatabaseList"]
        finally:
            other.kill()


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Return what ``look`` finds, asking until it finds something; give up after a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise ProbeError(what=what, seconds=_PATIENCE_SECONDS)
        time.sleep(0.1)
    return found


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete a bucket with all it holds."""
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)
