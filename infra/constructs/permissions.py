"""What a function may do, as statements: exact actions on exact resources.

The wildcards that remain are object names under the lake's prefix and table names in the lake's database. They are
listed in :func:`wildcards` with a reason and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aws_cdk import aws_iam, aws_kms

from infra.naming import Names

_EVERY_TABLE: Final = "Tables come from the library's declared schemas, after deployment; the database is the boundary."
_EVERY_OBJECT: Final = "Iceberg names its files itself; the boundary is the lake's prefix in the lake's bucket."
_MANIFESTS: Final = "PyIceberg removes the manifests of a commit it lost; data and table metadata stay out of reach."
_LETTERS: Final = "Lambda names the dead letters itself, by mapping and time; nothing else is in the bucket."
_TRACES: Final = "X-Ray has no resource to name: its actions allow only '*'."


def wildcards(names: Names) -> Mapping[str, str]:
    """Return every resource with a wildcard a function may have, and why."""
    return MappingProxyType(
        {
            "*": _TRACES,
            _tables(names): _EVERY_TABLE,
            _objects(names): _EVERY_OBJECT,
            _manifests(names): _MANIFESTS,
            _letters(names): _LETTERS,
        }
    )


def read_lake(names: Names) -> list[aws_iam.PolicyStatement]:
    """Read tables of the lake.

    Listing is needed for a missing object to answer 404: without it S3 answers 403, and PyArrow's existence checks
    become errors.
    """
    return [
        _allow("ReadCatalog", ["glue:GetTable"], *_catalog(names)),
        _allow("ReadLake", ["s3:GetObject"], _objects(names)),
        _allow("ListLake", ["s3:ListBucket"], _bucket(names.lake_bucket)),
    ]


def append_to_lake(names: Names) -> list[aws_iam.PolicyStatement]:
    """Read tables of the lake and commit to them; never remove data."""
    return [*_commit(names), _allow("TidyLostCommits", ["s3:DeleteObject"], _manifests(names))]


def maintain_lake(names: Names) -> list[aws_iam.PolicyStatement]:
    """Read tables of the lake, commit to them, and remove files that no snapshot needs any more.

    Nobody else may remove data. What is removed are objects, not their versions: until the bucket forgets replaced
    objects, a file that was removed wrongly can be had back.
    """
    return [*_commit(names), _allow("RemoveOrphans", ["s3:DeleteObject"], _objects(names))]


def call(function_arn: str) -> aws_iam.PolicyStatement:
    """Call one function."""
    return _allow("CallFunction", ["lambda:InvokeFunction"], function_arn)


def write_online(names: Names) -> list[aws_iam.PolicyStatement]:
    """Put items into the online table."""
    return [_allow("WriteOnline", ["dynamodb:BatchWriteItem"], names.online_table_arn)]


def query_online(names: Names) -> list[aws_iam.PolicyStatement]:
    """Query the online table."""
    return [_allow("QueryOnline", ["dynamodb:Query"], names.online_table_arn)]


def drain(stream_arn: str) -> list[aws_iam.PolicyStatement]:
    """Let Lambda's mapping read a stream with the function's role."""
    actions = ["DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"]
    return [_allow("DrainStream", [f"kinesis:{action}" for action in actions], stream_arn)]


def write_dead_letters(names: Names) -> list[aws_iam.PolicyStatement]:
    """Let Lambda write what failed, with the function's role."""
    return [
        _allow("WriteDeadLetters", ["s3:PutObject"], _letters(names)),
        _allow("FindDeadLetters", ["s3:ListBucket"], _bucket(names.dead_letters_bucket)),
    ]


def use_key(key: aws_kms.IKey) -> list[aws_iam.PolicyStatement]:
    """Read and write what our key encrypts."""
    return [_allow("UseKey", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], key.key_arn)]


def _commit(names: Names) -> list[aws_iam.PolicyStatement]:
    return [
        *read_lake(names),
        _allow("CommitTables", ["glue:UpdateTable"], *_catalog(names)),
        _allow("WriteLake", ["s3:AbortMultipartUpload", "s3:PutObject"], _objects(names)),
    ]


def _allow(sid: str, actions: list[str], *resources: str) -> aws_iam.PolicyStatement:
    return aws_iam.PolicyStatement(sid=sid, actions=actions, resources=list(resources))


def _catalog(names: Names) -> tuple[str, ...]:
    return names.arn("glue", "catalog"), names.arn("glue", f"database/{names.glue_database}"), _tables(names)


def _tables(names: Names) -> str:
    return names.arn("glue", f"table/{names.glue_database}/*")


def _bucket(name: str) -> str:
    return f"arn:aws:s3:::{name}"


def _objects(names: Names) -> str:
    return f"{_bucket(names.lake_bucket)}/lake/*"


def _manifests(names: Names) -> str:
    return f"{_bucket(names.lake_bucket)}/lake/*/metadata/*.avro"


def _letters(names: Names) -> str:
    return f"{_bucket(names.dead_letters_bucket)}/*"
