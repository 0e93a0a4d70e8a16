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
from vintner.messaging.streams import STREAMS, Role, stream_named

_EVERY_TABLE: Final = "Tables come from the library's declared schemas, after deployment; the database is the boundary."
_EVERY_OBJECT: Final = "Iceberg names its files itself; the boundary is the lake's prefix in the lake's bucket."
_MANIFESTS: Final = "PyIceberg removes the manifests of a commit it lost; data and table metadata stay out of reach."
_LETTERS: Final = "Lambda names the dead letters itself, by mapping and time; nothing else is in the bucket."
_TRACES: Final = "X-Ray has no resource to name: its actions allow only '*'."
_SNAPSHOTS: Final = "A processor names its snapshots by lane and place; the boundary is its own prefix."
_FILES: Final = "Whoever drops a file names it, and what is kept about it is named after it; the boundary is a folder."

INCOMING: Final = "incoming/"
"""Folder of the drop bucket that files to be taken in are put into."""

_KEPT_BESIDE: Final = ("progress/", "refused/")


def wildcards(names: Names) -> Mapping[str, str]:
    """Return every resource with a wildcard a function may have, and why."""
    processors = [one.function for stream in STREAMS.values() for one in stream.consumers if one.role is Role.PROCESSOR]
    return MappingProxyType(
        {
            "*": _TRACES,
            _tables(names): _EVERY_TABLE,
            _objects(names): _EVERY_OBJECT,
            _manifests(names): _MANIFESTS,
            _letters(names): _LETTERS,
            **{_files(names, folder): _FILES for folder in (INCOMING, *_KEPT_BESIDE)},
            **{_snapshots(names, folder): _SNAPSHOTS for folder in processors},
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


def call(*function_arns: str) -> aws_iam.PolicyStatement:
    """Call these functions."""
    return _allow("CallFunction", ["lambda:InvokeFunction"], *function_arns)


def write_online(names: Names) -> list[aws_iam.PolicyStatement]:
    """Put items into the online table."""
    return [_allow("WriteOnline", ["dynamodb:BatchWriteItem"], names.table_arn(names.online_table))]


def query_online(names: Names) -> list[aws_iam.PolicyStatement]:
    """Query the online table."""
    return [_allow("QueryOnline", ["dynamodb:Query"], names.table_arn(names.online_table))]


def drain(stream_arn: str) -> list[aws_iam.PolicyStatement]:
    """Let Lambda's mapping read a stream with the function's role."""
    actions = ["DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"]
    return [_allow("DrainStream", [f"kinesis:{action}" for action in actions], stream_arn)]


def publish(names: Names, *streams: str) -> list[aws_iam.PolicyStatement]:
    """Put records into these streams, named as they are declared."""
    arns = [names.stream_arn(stream_named(name).resource_name) for name in streams]
    return [_allow("Publish", ["kinesis:PutRecords"], *arns)] if arns else []


def publish_facts(names: Names, *subjects: str) -> list[aws_iam.PolicyStatement]:
    """Put facts into the streams of facts; of market data, if none is named: what is found out of it is a fact too."""
    arns = [names.stream_arn(subject.replace("_", "-")) for subject in subjects or ("market_data",)]
    return [_allow("PublishFacts", ["kinesis:PutRecords"], *arns)]


def keep_positions(names: Names, folder: str) -> list[aws_iam.PolicyStatement]:
    """Keep items of the positions table whose keys begin with a function's folder: its own and no other's."""
    return [
        aws_iam.PolicyStatement(
            sid="KeepPositions",
            actions=["dynamodb:GetItem", "dynamodb:PutItem"],
            resources=[names.table_arn(names.positions_table)],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{folder}#*"]}},
        )
    ]


def keep_snapshots(names: Names, folder: str) -> list[aws_iam.PolicyStatement]:
    """Keep snapshots of a processor's state: its own and no other's."""
    return [
        _allow("KeepSnapshots", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], _snapshots(names, folder)),
        _allow("FindSnapshots", ["s3:ListBucket"], _bucket(names.state_bucket)),
    ]


def claim_ids(names: Names) -> list[aws_iam.PolicyStatement]:
    """Claim ids in the ledger; a claim is never taken back."""
    actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    return [_allow("ClaimIds", actions, names.table_arn(names.ledger_table))]


def read_letters(names: Names) -> list[aws_iam.PolicyStatement]:
    """Read dead letters as Lambda wrote them."""
    return [_allow("ReadDeadLetters", ["s3:GetObject"], _letters(names))]


def keep_letters(names: Names) -> list[aws_iam.PolicyStatement]:
    """Keep what became of each dead letter."""
    reads = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
    writes = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    return [_allow("KeepLetters", [*reads, *writes], names.table_arn(names.letters_table))]


def take_dropped_files(names: Names) -> list[aws_iam.PolicyStatement]:
    """Read the files that were dropped, and keep how far each is and what was refused; never change a file."""
    kept = [_files(names, folder) for folder in _KEPT_BESIDE]
    return [
        _allow("ReadFiles", ["s3:GetObject", "s3:GetObjectVersion"], _files(names, INCOMING)),
        _allow("KeepProgress", ["s3:GetObject", "s3:PutObject"], *kept),
        _allow("FindFiles", ["s3:ListBucket"], _bucket(names.drop_bucket)),
    ]


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


def _files(names: Names, folder: str) -> str:
    return f"{_bucket(names.drop_bucket)}/{folder}*"


def _snapshots(names: Names, folder: str) -> str:
    return f"{_bucket(names.state_bucket)}/snapshots/{folder}/*"
